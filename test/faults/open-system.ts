import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { labels } from "#sdk/labels.ts";

const STATUS = z.object({
  image: z.string(),
  labels: z.record(z.string(), z.string()).default({}),
  annotations: z.record(z.string(), z.string()).default({}),
  envVars: z.record(z.string(), z.string()).default({}),
  secrets: z.array(z.string()).default([]),
});

export type System = {
  /** Deploy what serves again, with another environment. */
  redeploy(service: string, note: string): Promise<void>;
  /** Deploy what served at the time of an earlier `show`. */
  putBack(service: string, shown: z.infer<typeof STATUS>): Promise<void>;
  show(service: string): Promise<z.infer<typeof STATUS>>;
  scale(service: string, replicas: number): Promise<void>;
  createSecret(name: string, value: string): Promise<void>;
};

/** The OpenFaaS API of a running platform, as an operator uses it. */
export async function openSystem(place: {
  readonly url: string;
  readonly dataFolder: string;
}): Promise<System> {
  const secret = async (name: string) =>
    (await readFile(join(place.dataFolder, "secrets", name), "utf8")).trim();
  const login = `${await secret("basic-auth-user")}:${await secret("basic-auth-password")}`;
  const authorization = `Basic ${Buffer.from(login).toString("base64")}`;

  return {
    show,
    async redeploy(service, note) {
      const shown = await show(service);
      await putBack(service, { ...shown, envVars: { ...shown.envVars, note } });
    },
    putBack,
    async createSecret(name, value) {
      await ask("POST", "system/secrets", { name, value });
    },
    async scale(service, replicas) {
      await ask("POST", `system/scale-function/${service}`, { serviceName: service, replicas });
    },
  };

  async function show(service: string) {
    return STATUS.parse(await (await ask("GET", `system/function/${service}`)).json());
  }

  /** Without release and fence it is a new release; with them it would be known already, or late. */
  async function putBack(service: string, shown: z.infer<typeof STATUS>) {
    const { [labels.release]: _, [labels.fence]: __, ...kept } = shown.labels;
    await ask("PUT", "system/functions", { service, ...shown, labels: kept });
  }

  async function ask(method: string, path: string, body?: unknown): Promise<Response> {
    const response = await fetch(new URL(path, place.url), {
      method,
      headers: { authorization, "content-type": "application/json" },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    if (!response.ok)
      throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
    return response;
  }
}
