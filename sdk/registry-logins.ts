import { z } from "zod";

export type RegistryLogin = { readonly username: string; readonly password: string };
export type FindLogin = (registry: string) => RegistryLogin | undefined;

/** `config.json` of Docker, as `registry-secret` holds it; helpers that keep credentials elsewhere are not asked. */
const DockerConfig = z.object({
  auths: z
    .record(
      z.string(),
      z.object({
        auth: z.string().optional(),
        username: z.string().optional(),
        password: z.string().optional(),
      }),
    )
    .default({}),
});

/** Logins by registry. Throws for a text that is no `config.json`, without a word of it. */
export function readLogins(text: string): FindLogin {
  const result = DockerConfig.safeParse(parse(text));
  if (!result.success)
    throw new Error(
      'registry-secret is no config.json of Docker: expected {"auths":{"<registry>":{"auth":"<base64 of user:password>"}}}.',
    );
  const logins = new Map<string, RegistryLogin>();
  for (const [name, { auth, username, password }] of Object.entries(result.data.auths)) {
    const [user = "", ...rest] = Buffer.from(auth ?? "", "base64")
      .toString()
      .split(":");
    const login = { username: username ?? user, password: password ?? rest.join(":") };
    if (login.username !== "") logins.set(canonical(name), login);
  }
  return (registry) => logins.get(canonical(registry));
}

/** `127.0.0.1:5000` of `127.0.0.1:5000/a/b:c`, `docker.io` of `a/b`. */
export function registryOf(image: string): string {
  const [first = "", ...rest] = image.split("/");
  const isHost = rest.length > 0 && (/[.:]/.test(first) || first === "localhost");
  return isHost ? first : "docker.io";
}

/** Docker Hub has three names. */
function canonical(registry: string): string {
  const host = registry
    .replace(/^https?:\/\//, "")
    .replace(/\/.*$/, "")
    .toLowerCase();
  return /^(?:index\.|registry-1\.)?docker\.io$/.test(host) ? "docker.io" : host;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Reported without its position: what is there may be a password.
    return undefined;
  }
}
