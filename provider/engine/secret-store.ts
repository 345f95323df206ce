import { readdir, readFile, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import type { SecretBody } from "#provider/provider.ts";
import { syncFolder, writeDurably } from "#sdk/durable-file.ts";
import { errorCode, HttpError } from "#sdk/errors.ts";

export type SecretStore = {
  list(): Promise<string[]>;
  has(name: string): Promise<boolean>;
  /** Throws `missing-secret`. */
  read(name: string): Promise<Uint8Array>;
  create(secret: SecretBody): Promise<void>;
  update(secret: SecretBody): Promise<void>;
  remove(name: string): Promise<void>;
};

/** One 0600 file per secret in `folder`. Callers take turns per name. */
export function createSecretStore(folder: string): SecretStore {
  const has = (name: string) =>
    stat(pathOf(name)).then(
      () => true,
      () => false,
    );

  return {
    has,
    async list() {
      const names = await readdir(folder);
      return names.filter((name) => SECRET_NAME.test(name)).toSorted();
    },
    async read(name) {
      return readFile(pathOf(name)).catch((cause: unknown) => {
        throw new HttpError(
          400,
          "missing-secret",
          `Secret "${name}" cannot be read (${errorCode(cause) ?? "unknown error"}); create it first.`,
          { cause },
        );
      });
    },
    async create({ name, value }) {
      if (await has(name))
        throw new HttpError(409, "exists", `Secret "${name}" exists; update it with PUT.`);
      await writeDurably(pathOf(name), value);
    },
    async update({ name, value }) {
      await mustExist(name);
      await writeDurably(pathOf(name), value);
    },
    async remove(name) {
      await mustExist(name);
      await rm(pathOf(name));
      await syncFolder(folder);
    },
  };

  function pathOf(name: string): string {
    if (SECRET_NAME.test(name)) return join(folder, name);
    throw new HttpError(400, "invalid", `Secret name ${JSON.stringify(name)} is not a DNS name.`);
  }

  async function mustExist(name: string): Promise<void> {
    if (!(await has(name)))
      throw new HttpError(404, "not-found", `Secret "${name}" does not exist.`);
  }
}

/** A DNS-1123 subdomain, as Kubernetes names secrets; temporary files end in `.tmp` and a number before it. */
const SECRET_NAME = /^(?!.*\.tmp$)[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/;
