import { readdir, readFile, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import type { SecretBody } from "#provider/provider.ts";
import { syncFolder, writeDurably } from "#sdk/durable-file.ts";
import { errorCode, HttpError } from "#sdk/errors.ts";
import type { EngineFolder } from "./engine-folder.ts";
import { openSecretArchive } from "./secret-archive.ts";
import { type IdentifySecret, openSecretKey } from "./secret-key.ts";

/** Values of secrets: those of now, and earlier ones by the ids that they had. */
export type SecretStore = {
  list(): Promise<string[]>;
  has(name: string): Promise<boolean>;
  /** The value of that id while it is kept, else that of now. Throws `missing-secret`. */
  read(name: string, earlierId?: string): Promise<Uint8Array>;
  /** Of the value of now; equal values have equal ids, which tell nothing about them. */
  idOf(name: string): string | undefined;
  /** Whether an earlier value is there. */
  isKept(name: string, id: string): boolean;
  create(secret: SecretBody): Promise<void>;
  /** The old value is kept until a `sweep` that finds no use for it. */
  update(secret: SecretBody): Promise<void>;
  /** With all its earlier values. */
  remove(name: string): Promise<void>;
  /** Its earlier values alone. Throws `not-found`. */
  forgetEarlier(name: string): Promise<void>;
  /** Remove earlier values that nobody uses. */
  sweep(isUsed: (id: string) => boolean): Promise<void>;
};

/** One 0600 file per secret, and one per earlier value. Callers take turns to change something. */
export async function openSecretStore(folder: EngineFolder): Promise<SecretStore> {
  const identify = await openSecretKey(join(folder.path, "secrets-key"));
  const archive = await openSecretArchive(folder.secretsEarlier);
  const ids = await identifyAll(folder.secrets, identify);

  return {
    list: () => listNames(folder.secrets),
    has,
    idOf: (name) => ids.get(name),
    isKept: archive.has,
    async read(name, earlierId) {
      const earlier = earlierId === undefined ? undefined : await archive.read(name, earlierId);
      return earlier ?? (await readNow(name));
    },
    async create(secret) {
      const { name } = secret;
      if (await has(name))
        throw new HttpError(409, "exists", `Secret "${name}" exists; update it with PUT.`);
      await write(secret);
    },
    async update(secret) {
      const { name, value } = secret;
      await mustExist(name);
      const id = ids.get(name);
      // Before it is overwritten, whether it is needed or not: a switch may just be about to need it.
      if (id !== undefined && id !== identify(name, value))
        await archive.keep(name, id, await readNow(name));
      await write(secret);
    },
    async remove(name) {
      await mustExist(name);
      // First, so that no value is left behind when the secret is gone.
      await archive.forget(name);
      await rm(pathOf(name));
      await syncFolder(folder.secrets);
      ids.delete(name);
    },
    async forgetEarlier(name) {
      await mustExist(name);
      await archive.forget(name);
    },
    sweep: archive.sweep,
  };

  async function has(name: string): Promise<boolean> {
    return stat(pathOf(name)).then(
      () => true,
      () => false,
    );
  }

  async function readNow(name: string): Promise<Uint8Array> {
    return readFile(pathOf(name)).catch((cause: unknown) => {
      throw new HttpError(
        400,
        "missing-secret",
        `Secret "${name}" cannot be read (${errorCode(cause) ?? "unknown error"}); create it first.`,
        { cause },
      );
    });
  }

  async function write({ name, value }: SecretBody): Promise<void> {
    await writeDurably(pathOf(name), value);
    ids.set(name, identify(name, value));
  }

  function pathOf(name: string): string {
    if (SECRET_NAME.test(name)) return join(folder.secrets, name);
    throw new HttpError(400, "invalid", `Secret name ${JSON.stringify(name)} is not a DNS name.`);
  }

  async function mustExist(name: string): Promise<void> {
    if (!(await has(name)))
      throw new HttpError(404, "not-found", `Secret "${name}" does not exist.`);
  }
}

/** A DNS-1123 subdomain, as Kubernetes names secrets; temporary files end in `.tmp` and a number before it. */
const SECRET_NAME = /^(?!.*\.tmp$)[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/;

async function listNames(folder: string): Promise<string[]> {
  const names = await readdir(folder);
  return names.filter((name) => SECRET_NAME.test(name)).toSorted();
}

async function identifyAll(folder: string, identify: IdentifySecret): Promise<Map<string, string>> {
  const ids = new Map<string, string>();
  for (const name of await listNames(folder)) {
    // One that cannot be read must not keep the others' functions from starting; whoever asks for it is told.
    const value = await readFile(join(folder, name)).catch(() => undefined);
    if (value !== undefined) ids.set(name, identify(name, value));
  }
  return ids;
}
