import { stripGitSuffix } from "../store/names.ts";

/** The three requests of Git's smart HTTP protocol (gitprotocol-http(5)). */
export type GitPath = {
  readonly owner: string;
  readonly name: string;
  readonly action: "info/refs" | "git-upload-pack" | "git-receive-pack";
};

/** Parse `/git/<owner>/<repo>[.git]/<action>`; `undefined` for every other path. */
export function parseGitPath(pathname: string): GitPath | undefined {
  const match = /^\/git\/([^/]+)\/([^/]+)\/(info\/refs|git-upload-pack|git-receive-pack)$/.exec(
    pathname,
  );
  const [, owner, name, action] = match ?? [];
  if (owner === undefined || name === undefined) return undefined;
  if (action !== "info/refs" && action !== "git-upload-pack" && action !== "git-receive-pack")
    return undefined;
  return { owner: decode(owner), name: stripGitSuffix(decode(name)), action };
}

/** Percent signs that are no encoding stay as they are; the name is refused later, by its rule. */
function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
