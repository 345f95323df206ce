import type { IncomingMessage } from "node:http";

export type Target = {
  /** As the client wrote it, with its port. */
  readonly host: string;
  /** Path and query in origin form. */
  readonly path: string;
};

/**
 * Host and target of a request; `undefined` (400) unless there is exactly one Host, the target is a path
 * without a fragment, and an absolute-form target names the same host (RFC 9112 section 3.2).
 */
export function readTarget({ rawHeaders, url = "" }: IncomingMessage): Target | undefined {
  const host = soleHost(rawHeaders);
  if (host === undefined || url.includes("#")) return undefined;
  if (url.startsWith("/")) return { host, path: url };

  const absolute = /^https?:\/\/([^/?]+)(\/[^?]*)?(\?.*)?$/is.exec(url);
  if (absolute?.[1]?.toLowerCase() !== host.toLowerCase()) return undefined;
  return { host, path: `${absolute[2] ?? "/"}${absolute[3] ?? ""}` };
}

function soleHost(rawHeaders: readonly string[]): string | undefined {
  let host: string | undefined;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at];
    if (name?.length !== 4 || name.toLowerCase() !== "host") continue;
    if (host !== undefined) return undefined;
    host = rawHeaders[at + 1];
  }
  return host === "" ? undefined : host;
}
