import type { Call } from "./call.ts";

const HOP_BY_HOP = [
  "connection",
  "proxy-connection",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "http2-settings",
];
/** Set by the gateway itself, whatever the client says. */
const OURS = [
  "host",
  "expect",
  "x-call-id",
  "x-start-time",
  "x-forwarded-for",
  "x-forwarded-host",
  "x-forwarded-proto",
];

/** Headers that do not travel to a user's function: internal signatures are not for tenants' eyes. */
export const NOT_FOR_FUNCTIONS: ReadonlySet<string> = new Set([
  ...HOP_BY_HOP,
  ...OURS,
  "x-cloud-signature",
]);
/** Headers that do not travel to a room. */
export const NOT_FOR_ROOMS: ReadonlySet<string> = new Set([...HOP_BY_HOP, ...OURS]);
/** Headers that do not travel to the provider: the gateway signs in with its own account. */
export const NOT_FOR_PROVIDER: ReadonlySet<string> = new Set([...NOT_FOR_ROOMS, "authorization"]);
/** An outsider does not say who pays for a queued call. */
export const NOT_FOR_QUEUE: ReadonlySet<string> = new Set([...NOT_FOR_ROOMS, "x-owner-id"]);
const NOT_FOR_CLIENTS: ReadonlySet<string> = new Set(HOP_BY_HOP);

/** Name, value, name, value … for the next hop. `X-Forwarded-For` is appended to, the rest is ours. */
export function toUpstreamHeaders(call: Call, dropped: ReadonlySet<string>): string[] {
  const { rawHeaders, headers, socket } = call.request;
  const named = namedByConnection(headers.connection);
  const kept: string[] = [];
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] ?? "";
    const lower = name.toLowerCase();
    if (dropped.has(lower) || named?.has(lower)) continue;
    kept.push(name, rawHeaders[at + 1] ?? "");
  }

  const client = remoteAddress(socket.remoteAddress);
  const before = headers["x-forwarded-for"];
  kept.push("Host", call.host);
  kept.push("X-Call-Id", call.callId, "X-Start-Time", call.startTime);
  kept.push("X-Forwarded-For", before === undefined ? client : `${before}, ${client}`);
  kept.push("X-Forwarded-Host", call.host, "X-Forwarded-Proto", "http");
  return kept;
}

/** An upstream's raw headers for the client, with call id and start time unless it set its own. */
export function toClientHeaders(call: Call, status: number, raw: readonly Buffer[]): string[] {
  const named = namedByConnection(connectionOf(raw));
  const kept: string[] = [];
  let hasCallId = false;
  let hasStartTime = false;
  for (let at = 0; at < raw.length; at += 2) {
    const name = raw[at]?.toString("latin1") ?? "";
    const lower = name.toLowerCase();
    if (NOT_FOR_CLIENTS.has(lower) || named?.has(lower)) continue;
    // RFC 9110 section 8.6: a 204 has no length, and a wrong one would shift the connection.
    if (status === 204 && lower === "content-length") continue;
    if (lower === "x-call-id") hasCallId = true;
    else if (lower === "x-start-time") hasStartTime = true;
    kept.push(name, raw[at + 1]?.toString("latin1") ?? "");
  }
  if (!hasCallId) kept.push("X-Call-Id", call.callId);
  if (!hasStartTime) kept.push("X-Start-Time", call.startTime);
  return kept;
}

/** Trailers as pairs, for `addTrailers`. */
export function toTrailers(raw: readonly (Buffer | string)[]): [string, string][] {
  const pairs: [string, string][] = [];
  for (let at = 0; at + 1 < raw.length; at += 2) {
    pairs.push([String(raw[at]), String(raw[at + 1])]);
  }
  return pairs;
}

/** Headers that `Connection` declares to be for this hop only; lengths and hosts are never among them. */
function namedByConnection(connection: string | undefined): ReadonlySet<string> | undefined {
  if (connection === undefined || /^(keep-alive|close|upgrade)$/i.test(connection))
    return undefined;
  const named = new Set(connection.split(",").map((token) => token.trim().toLowerCase()));
  named.delete("content-length");
  return named;
}

function connectionOf(raw: readonly Buffer[]): string | undefined {
  for (let at = 0; at < raw.length; at += 2) {
    if (raw[at]?.length !== 10) continue;
    if (raw[at]?.toString("latin1").toLowerCase() === "connection") {
      return raw[at + 1]?.toString("latin1");
    }
  }
  return undefined;
}

function remoteAddress(address = "unknown"): string {
  return address.startsWith("::ffff:") ? address.slice("::ffff:".length) : address;
}
