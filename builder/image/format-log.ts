import { StringDecoder } from "node:string_decoder";
import { stripControls } from "#sdk/strip-controls.ts";
import type { BuildEvent } from "../buildkit/build-event.ts";
import { type Mask, NO_MASK } from "../secrets/mask-secrets.ts";

/** Longest line that is held until its end comes. */
const LINE_CHARACTERS = 4_096;

/** Housekeeping of BuildKit that says nothing to people. */
const INTERNAL = /^\[(?:internal|auth)\]|^http:\/\/buildkit-session\/|^copy \//;

/**
 * Turn a build's events into lines: names of steps as they begin, and what they print, whole lines at a time.
 * What `mask` hides is in none of them, also where a long line is cut.
 */
export function createLogFormatter(
  tellLine: (line: string) => void,
  mask: () => Mask = () => NO_MASK,
): (event: BuildEvent) => void {
  // Colours inside of a secret would hide it from the mask.
  const tell = (line: string) => tellLine(mask().hide(stripControls(line)));
  const unfinished = new Map<string, { readonly decoder: StringDecoder; text: string }>();

  return (event) => {
    switch (event.kind) {
      case "started":
        if (!INTERNAL.test(event.name)) tell(event.name);
        return;
      case "cached":
        if (!INTERNAL.test(event.name)) tell(`${event.name} (cached)`);
        return;
      case "output":
        print(`${event.step} ${event.stream}`, event.bytes);
        return;
      case "failed":
      case "done":
        flush(event.step);
        return;
      case "warning":
        tell(`warning: ${event.text}`);
    }
  };

  function print(key: string, bytes: Uint8Array): void {
    const line = unfinished.get(key) ?? { decoder: new StringDecoder(), text: "" };
    unfinished.set(key, line);
    const lines = (line.text + line.decoder.write(Buffer.from(bytes))).split("\n");
    line.text = lines.pop() ?? "";
    for (const one of lines) tell(lastOf(one));
    const { hide, longest } = mask();
    if (line.text.length < LINE_CHARACTERS + longest) return;
    const hidden = hide(line.text);
    const end = Math.max(0, hidden.length - longest);
    tell(lastOf(hidden.slice(0, end)));
    line.text = hidden.slice(end);
  }

  function flush(step: string): void {
    for (const key of [`${step} stdout`, `${step} stderr`]) {
      const line = unfinished.get(key);
      unfinished.delete(key);
      if (line !== undefined && line.text !== "") tell(lastOf(line.text));
    }
  }
}

/** Progress bars write over themselves; what a terminal would show in the end is the line. */
function lastOf(line: string): string {
  return line.replace(/\r$/, "").replace(/^.*\r/s, "");
}
