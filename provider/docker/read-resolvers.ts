import { readFile } from "node:fs/promises";
import { isIPv4 } from "node:net";

/** Resolvers that functions ask through Docker's; those on loopback are asked by dockerd itself. */
export function readResolvers(): Promise<string[]> {
  return readAddresses("/etc/resolv.conf");
}

/** Resolvers that dockerd writes into the `resolv.conf` of a `RUN`: those behind systemd's own on loopback. */
export async function readBuildResolvers(): Promise<string[]> {
  const own = await readResolvers();
  return own.length > 0 ? own : readAddresses("/run/systemd/resolve/resolv.conf");
}

async function readAddresses(file: string): Promise<string[]> {
  const text = await readFile(file, "utf8").catch(() => "");
  return [...text.matchAll(/^nameserver\s+(\S+)/gm)]
    .map(([, address = ""]) => address)
    .filter((address) => isIPv4(address) && !address.startsWith("127."));
}
