import { lookup } from "node:dns";
import { BlockList, isIP, type LookupFunction } from "node:net";

/** Ranges that are not on the public internet (IANA special-purpose registries, RFC 6890 and updates). */
const V4_RANGES = [
  ["0.0.0.0", 8],
  ["10.0.0.0", 8],
  ["100.64.0.0", 10],
  ["127.0.0.0", 8],
  ["169.254.0.0", 16],
  ["172.16.0.0", 12],
  ["192.0.0.0", 24],
  ["192.0.2.0", 24],
  ["192.88.99.0", 24],
  ["192.168.0.0", 16],
  ["198.18.0.0", 15],
  ["198.51.100.0", 24],
  ["203.0.113.0", 24],
  ["224.0.0.0", 4],
  ["240.0.0.0", 4],
] as const;
/** Among them every range that carries an IPv4 address inside: mapped, NAT64, 6to4, Teredo. */
const V6_RANGES = [
  ["::", 96],
  ["::ffff:0:0", 96],
  ["::ffff:0:0:0", 96],
  ["64:ff9b::", 96],
  ["64:ff9b:1::", 48],
  ["100::", 64],
  ["2001::", 23],
  ["2001:db8::", 32],
  ["2002::", 16],
  ["3fff::", 20],
  ["5f00::", 16],
  ["fc00::", 7],
  ["fe80::", 10],
  ["fec0::", 10],
  ["ff00::", 8],
] as const;

/** Two lists: a list that holds both families checks mapped addresses against the IPv4 rules only. */
const v4 = new BlockList();
for (const [net, prefix] of V4_RANGES) v4.addSubnet(net, prefix, "ipv4");
const v6 = new BlockList();
for (const [net, prefix] of V6_RANGES) v6.addSubnet(net, prefix, "ipv6");

/** The `code` of a lookup that found a private address. */
export const PRIVATE_ADDRESS = "PRIVATE_ADDRESS";

/** Whether an IP address is on the public internet. */
export function isPublicAddress(address: string): boolean {
  const family = isIP(address);
  if (family === 4) return !v4.check(address, "ipv4");
  return family === 6 && !v6.check(address, "ipv6");
}

/** Why a callback URL cannot be called, as far as its text tells; `undefined` when it can. */
export function refuseCallbackUrl(text: string, allowPrivate: boolean): string | undefined {
  if (!URL.canParse(text)) return "X-Callback-Url is not a URL.";
  const url = new URL(text);
  if (url.protocol !== "http:" && url.protocol !== "https:")
    return `X-Callback-Url is a ${url.protocol} URL; only http and https can be called.`;
  if (url.username !== "" || url.password !== "")
    return "X-Callback-Url holds a user name or password, which would be stored; leave it out.";
  const host = url.hostname.replace(/^\[|\]$/g, "");
  if (!allowPrivate && isIP(host) !== 0 && !isPublicAddress(host))
    return `X-Callback-Url names the private address ${host}; an operator can allow that with async_callback_private=true.`;
  return undefined;
}

/** A lookup for sockets that fails unless every address of the name is public; the socket connects to what was checked. */
export const lookupPublic: LookupFunction = (hostname, options, done) => {
  lookup(hostname, { ...options, all: true }, (error, addresses) => {
    if (error) return done(error, "");
    const hidden = addresses.find(({ address }) => !isPublicAddress(address));
    if (hidden !== undefined) return done(hiddenAddress(hostname, hidden.address), "");
    const [first] = addresses;
    if (options.all) return done(null, addresses);
    if (first === undefined) return done(new Error(`${hostname} has no address`), "");
    return done(null, first.address, first.family);
  });
};

function hiddenAddress(hostname: string, address: string): Error {
  const error = new Error(`${hostname} resolves to the private address ${address}`);
  return Object.assign(error, { code: PRIVATE_ADDRESS });
}
