import { z } from "zod";

/** Credentials as Docker's API takes them for one pull. */
export type RegistryAuth = {
  readonly username: string;
  readonly password: string;
  readonly serveraddress: string;
};

const config = z.object({
  auths: z.record(
    z.string(),
    z.object({
      auth: z.string().optional(),
      username: z.string().optional(),
      password: z.string().optional(),
    }),
  ),
});

/** What a Docker `config.json` holds for the registry of an image; throws when it is none. */
export function decideAuth(text: string | undefined, reference: string): RegistryAuth | undefined {
  if (text === undefined || text.trim() === "") return undefined;
  const host = registryOf(reference);
  const found = Object.entries(parseConfig(text).auths).find(([name]) => hostOf(name) === host);
  if (found === undefined) return undefined;
  const [serveraddress, { auth, username, password }] = found;
  if (username !== undefined && password !== undefined)
    return { username, password, serveraddress };
  const [, user, secret] =
    /^([^:]*):(.*)$/s.exec(Buffer.from(auth ?? "", "base64").toString()) ?? [];
  return user === undefined || secret === undefined
    ? undefined
    : { username: user, password: secret, serveraddress };
}

/** `docker.io` unless the first part is a host name. */
function registryOf(reference: string): string {
  const [first = "", rest] = reference.split("/", 2);
  return rest !== undefined && /[.:]|^localhost$/.test(first) ? first : "docker.io";
}

/** `https://index.docker.io/v1/` is how `docker login` writes Docker Hub. */
function hostOf(name: string): string {
  const host = name.replace(/^https?:\/\//, "").replace(/\/.*$/, "");
  return host === "index.docker.io" ? "docker.io" : host;
}

function parseConfig(text: string): z.infer<typeof config> {
  try {
    return config.parse(JSON.parse(text));
  } catch {
    // Without the cause, which may quote a password.
    throw new Error('registry-secret is not a Docker config.json with "auths"');
  }
}
