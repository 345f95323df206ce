import { readFile } from "node:fs/promises";
import { endianness } from "node:os";

/** `SYN_SENT`, `ESTABLISHED` and `CLOSE_WAIT` of Linux's `tcp_states.h`: all others are ending or over. */
const OPEN: readonly string[] = ["01", "02", "08"];

/** How many connections programs of this machine, the gateways among them, have to an IPv4 address and port. */
export async function countConnections(host: string, port: number): Promise<number> {
  return parseConnections(await readFile("/proc/net/tcp", "utf8"), host, port);
}

/** The table of proc(5): `sl local_address rem_address st …`, addresses in hex as memory has them. */
export function parseConnections(table: string, host: string, port: number): number {
  const remote = `${formatHost(host)}:${toHex(port, 4)}`;
  return table.split("\n").filter((line) => {
    const [, , rem_address, st = ""] = line.trim().split(/\s+/);
    return rem_address === remote && OPEN.includes(st);
  }).length;
}

function formatHost(host: string): string {
  const parts = host.split(".").map((part) => toHex(Number(part), 2));
  return (endianness() === "LE" ? parts.toReversed() : parts).join("");
}

function toHex(value: number, digits: number): string {
  return value.toString(16).toUpperCase().padStart(digits, "0");
}
