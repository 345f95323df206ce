/** Opens `${NAME:-default}` and its equals; faas-cli reads `:?` and `:+` as `:-` too (spec/faas-cli.md section 2). */
const OPENING = /\$\{[A-Za-z0-9_]+(?::[-=?+]|=)/y;
const BARE = /\$\{([^{}]{0,200})\}/y;

export type Taken = {
  readonly text: string;
  /** What stands in `${…}` without a default, left as written. */
  readonly open: readonly string[];
};

/**
 * Replace `${NAME:-default}` by its default, nested ones included; `$${` is a literal `${`. A push has no
 * environment that a variable could come from: ours is never read, and `${NAME}` stays as written, as
 * OpenFaaS Cloud left it. One pass, whatever is unclosed.
 */
export function takeDefaults(text: string): Taken {
  if (!text.includes("${")) return { text, open: [] };
  const frames = [{ opening: "", text: "" }];
  const open: string[] = [];
  let at = 0;
  while (at < text.length) at = step(text, at, frames, open);

  return { text: frames.map((frame) => frame.opening + frame.text).join(""), open };
}

type Frame = { readonly opening: string; text: string };

/** Read one piece at `at`; the position after it. */
function step(text: string, at: number, frames: Frame[], open: string[]): number {
  const top = frames.at(-1);
  const below = frames.at(-2);
  if (top === undefined) return text.length;
  if (text.startsWith("$${", at)) return append(top, "${", at + 3);
  if (text[at] === "}" && below !== undefined) {
    frames.pop();
    return append(below, top.text, at + 1);
  }

  const opening = matchAt(OPENING, text, at);
  if (opening !== undefined) {
    frames.push({ opening, text: "" });
    return at + opening.length;
  }
  const bare = matchAt(BARE, text, at);
  if (bare !== undefined) open.push(bare);
  return append(top, bare ?? text[at] ?? "", at + (bare?.length ?? 1));
}

function append(frame: Frame, piece: string, next: number): number {
  frame.text += piece;
  return next;
}

function matchAt(pattern: RegExp, text: string, at: number): string | undefined {
  if (text[at] !== "$") return undefined;
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0];
}
