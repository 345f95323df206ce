import { createHmac, randomBytes } from "node:crypto";
import { writeDurably } from "#sdk/durable-file.ts";
import { readIfThere } from "#sdk/read-if-there.ts";

/** 32 hex digits of a secret's value: equal for equal ones, and nothing without the key. */
export type IdentifySecret = (name: string, value: Uint8Array) => string;

/**
 * Open the key of this data folder's ids of secrets, made at first use. A plain hash of a short secret could
 * be guessed by whoever sees it; with another key no earlier value is found again, and nothing worse.
 */
export async function openSecretKey(path: string): Promise<IdentifySecret> {
  const key = (await readIfThere(path)) ?? (await makeKey(path));
  return (name, value) =>
    createHmac("sha256", key).update(`${name}\0`).update(value).digest("hex").slice(0, 32);
}

async function makeKey(path: string): Promise<string> {
  const key = randomBytes(32).toString("hex");
  await writeDurably(path, key);
  return key;
}
