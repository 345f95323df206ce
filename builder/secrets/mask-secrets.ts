import type { BuildSecrets } from "./build-key.ts";
import { formsOf, SHORTEST_FORM } from "./secret-forms.ts";

export type Mask = {
  /** The text with `***` in place of every form of a secret. */
  hide(text: string): string;
  /** Characters of the longest form: so much of an unfinished text may be the beginning of one. */
  readonly longest: number;
};

export const NO_MASK: Mask = { hide: (text) => text, longest: 0 };

/** No regular expression: one that does not compile would be quoted in its error. */
export function createMask(secrets: BuildSecrets): Mask {
  const forms = [...secrets.values()].flatMap(formsOf);
  if (forms.length === 0) return NO_MASK;
  // Of two that begin alike the longer one is what was printed.
  forms.sort((a, b) => b.length - a.length);
  const byStart = Map.groupBy(forms, (form) => form.slice(0, SHORTEST_FORM));
  return { hide, longest: forms[0]?.length ?? 0 };

  function hide(text: string): string {
    let shown = "";
    let from = 0;
    for (let at = 0; at + SHORTEST_FORM <= text.length; ) {
      const form = formAt(text, at);
      if (form === undefined) at++;
      else {
        shown += `${text.slice(from, at)}***`;
        at += form.length;
        from = at;
      }
    }
    return shown + text.slice(from);
  }

  function formAt(text: string, at: number): string | undefined {
    const alike = byStart.get(text.slice(at, at + SHORTEST_FORM));
    return alike?.find((form) => text.startsWith(form, at));
  }
}
