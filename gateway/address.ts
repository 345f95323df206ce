/** Where a room or a replica listens, as undici wants it. */
export type Address = {
  /** `http://host:port`; for a Unix socket only the `Host` default. */
  readonly origin: string;
  readonly socketPath?: string;
};

/** Parse `unix:/path` or `http://host[:port]`; `undefined` when it is neither. */
export function parseAddress(text: string): Address | undefined {
  if (text.startsWith("unix:/")) {
    return { origin: "http://localhost", socketPath: text.slice("unix:".length) };
  }
  if (!/^https?:\/\//.test(text) || !URL.canParse(text)) return undefined;
  const { origin, pathname, search } = new URL(text);
  return pathname === "/" && search === "" ? { origin } : undefined;
}
