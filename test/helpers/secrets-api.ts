import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { RunningPlatform } from "./platform.ts";

type Place = Pick<RunningPlatform, "url" | "dataFolder">;

/** The administrator's `authorization` header. */
export async function readAuthorization({ dataFolder }: Place): Promise<string> {
  const read = async (name: string) =>
    (await readFile(join(dataFolder, "secrets", name), "utf8")).trim();
  const both = `${await read("basic-auth-user")}:${await read("basic-auth-password")}`;
  return `Basic ${Buffer.from(both).toString("base64")}`;
}

/** `/system/secrets`; throws unless it was taken. */
export async function changeSecret(
  platform: Place,
  method: "POST" | "PUT" | "DELETE",
  secret: { readonly name: string; readonly value?: string },
): Promise<void> {
  const response = await fetch(new URL("system/secrets", platform.url), {
    method,
    headers: { authorization: await readAuthorization(platform) },
    body: JSON.stringify(secret),
  });
  if (response.status !== 202)
    throw new Error(`${method} of ${secret.name}: ${response.status} ${await response.text()}`);
}
