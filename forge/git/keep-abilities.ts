import type { GitPath } from "./parse-git-path.ts";

/** Whether a fetch by protocol version 2 begins (gitprotocol-v2(5)); older ones ask for refs at once. */
export function asksForAbilities({ headers, url }: Request, { action }: GitPath): boolean {
  return (
    action === "info/refs" &&
    headers.get("git-protocol") === "version=2" &&
    new URL(url).searchParams.get("service") === "git-upload-pack"
  );
}

/**
 * What git can do is the same for all repositories, which have one configuration: it is asked once, and every
 * further fetch saves two of its processes. An answer that was cut off, or is an error, is not kept.
 */
export function keepAbilities() {
  let kept: { readonly headers: Headers; readonly body: Buffer } | undefined;

  return async function answer(ask: () => Promise<Response>): Promise<Response> {
    if (kept !== undefined) return new Response(kept.body, { headers: kept.headers });
    const response = await ask();
    const body = Buffer.from(await response.arrayBuffer());
    if (response.ok && isWhole(body.toString("latin1"))) kept = { headers: response.headers, body };
    return new Response(body, response);
  };
}

/** Lines with their length before them, up to one of no length. */
function isWhole(text: string): boolean {
  return text.startsWith("000eversion 2\n") && text.endsWith("\n0000");
}
