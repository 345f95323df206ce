import { join } from "node:path";
import { Client } from "undici";
import { z } from "zod";
import { readSecret } from "#sdk/secrets.ts";
import { runFolderOf } from "../cli/platform/data-folder.ts";

const LINE = z.object({
  all: z.array(z.object({ name: z.string(), endpoints: z.array(z.string()) })),
});

/** Unix socket of a function's first replica, as the gateway learns it from the provider. */
export async function findSocket(dataFolder: string, service: string): Promise<string> {
  const secrets = join(dataFolder, "secrets");
  const user = await readSecret(secrets, "basic-auth-user");
  const password = await readSecret(secrets, "basic-auth-password");
  const client = new Client("http://provider", {
    socketPath: join(runFolderOf(dataFolder), "provider.sock"),
  });
  const authorization = `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;
  const { body } = await client.request({
    path: "/endpoints",
    method: "GET",
    headers: { authorization },
  });
  let text = "";
  for await (const chunk of body) {
    text += chunk;
    if (text.includes("\n")) break;
  }
  await client.destroy();
  const [first = ""] = text.split("\n");
  const { all } = LINE.parse(JSON.parse(first));
  const endpoint = all.find(({ name }) => name === service)?.endpoints[0];
  if (endpoint === undefined) throw new Error(`${service} has no replica.`);
  return endpoint.replace(/^unix:/, "");
}
