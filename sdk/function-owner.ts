import { labels } from "#sdk/labels.ts";
import type { FunctionStatus } from "#sdk/messages.ts";

/** `<scm>:<numeric id>` of a function's owner by its labels; `undefined` where they do not say. */
export function ownerIdOf({ labels: of = {} }: Partial<FunctionStatus>): string | undefined {
  return joinId(of[labels.gitScm], of[labels.gitOwnerId]);
}

/** `<scm>:<numeric id>` of the repository a function came from. */
export function repositoryIdOf({ labels: of = {} }: Partial<FunctionStatus>): string | undefined {
  return joinId(of[labels.gitScm], of[labels.gitRepoId]);
}

/** A label value may not hold ":", so most carry the bare number beside the source's name. */
function joinId(scm: string | undefined, id: string | undefined): string | undefined {
  if (id === undefined || id === "") return undefined;
  if (id.includes(":")) return id;
  return scm === undefined ? undefined : `${scm}:${id}`;
}
