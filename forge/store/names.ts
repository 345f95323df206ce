/** Why a repository cannot have this name, or `undefined` when it can. */
export function refuseRepositoryName(name: string): string | undefined {
  const shown = JSON.stringify(name.slice(0, 120));
  if (!/^[A-Za-z0-9._-]{1,100}$/.test(name))
    return `repository name ${shown} may hold letters, digits, ".", "_" and "-" only, at most 100 of them`;
  if (name === "." || name === "..") return `repository name ${shown} is a folder, not a name`;
  if (/\.git$/i.test(name)) return `repository name ${shown} may not end in ".git"`;
  return undefined;
}

/** `shop.git` and `shop` are the same repository. */
export function stripGitSuffix(name: string): string {
  return name.endsWith(".git") ? name.slice(0, -4) : name;
}
