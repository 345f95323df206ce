import type { User } from "./store/users.ts";

/** Every address the forge gives out, from the one it is reached at. */
export type Links = ReturnType<typeof createLinks>;

/** `publicUrl` ends in a slash: `http://127.0.0.1:8080/`. */
export function createLinks(publicUrl: string) {
  const api = `${publicUrl}api/v3`;
  return {
    api,
    web: (owner: User, name: string) => `${publicUrl}git/${owner.login}/${name}`,
    clone: (owner: User, name: string) => `${publicUrl}git/${owner.login}/${name}.git`,
    profile: (owner: User) => `${publicUrl}git/${owner.login}`,
    user: (owner: User) => `${api}/users/${owner.login}`,
    repository: (owner: User, name: string) => `${api}/repos/${owner.login}/${name}`,
    host: new URL(publicUrl).host,
  };
}
