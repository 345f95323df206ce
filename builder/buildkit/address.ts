/** PEM texts. A standalone buildkitd knows its callers by their certificate. */
export type BuildkitTls = {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  /** Name in the daemon's certificate, where it is not the address. */
  readonly servername?: string;
};

export type BuildkitAddress = {
  /** `docker`: the BuildKit inside dockerd, on its API socket. `buildkitd`: its own socket. */
  readonly kind: "docker" | "buildkitd";
  /** As configured, for messages. */
  readonly url: string;
  readonly at: { readonly path: string } | { readonly host: string; readonly port: number };
  readonly tls?: BuildkitTls;
};

/**
 * `docker-unix:///var/run/docker.sock`, `docker-tcp://host:2376`, `unix:///run/buildkit/buildkitd.sock`,
 * `tcp://host:1234`; TLS when `tls` is given. Throws for anything else.
 */
export function parseBuildkitAddress(text: string, tls?: BuildkitTls): BuildkitAddress {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const scheme = url?.protocol.replace(/^docker-/, "");
  const kind = url?.protocol.startsWith("docker-") ? "docker" : "buildkitd";
  if (url !== undefined && scheme === "unix:" && url.host === "" && url.pathname.length > 1)
    return { kind, url: text, at: { path: decodeURIComponent(url.pathname) } };
  if (url === undefined || scheme !== "tcp:" || url.hostname === "" || url.port === "")
    throw new Error(
      `"${text}" is no address of BuildKit; expected docker-unix:///var/run/docker.sock, unix:///run/buildkit/buildkitd.sock, or tcp://host:port (docker-tcp:// for a Docker engine).`,
    );
  const at = { host: url.hostname.replace(/^\[(.*)\]$/, "$1"), port: Number(url.port) };
  return { kind, url: text, at, ...(tls ? { tls } : {}) };
}
