import { spawn } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { ExecutionContext } from "ava";
import { createGatewayClient } from "#sdk/gateway-client.ts";
import { createSendCall } from "#sdk/send-call.ts";

const project = join(import.meta.dirname, "../..");

/** A folder with every secret. */
export async function writeSecrets(t: ExecutionContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "stand-alone-"));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2_048 });
  const secrets = {
    "basic-auth-user": "admin",
    "basic-auth-password": "password",
    "payload-secret": "payload",
    "github-webhook-secret": "webhook",
    "private-key": privateKey.export({ type: "pkcs1", format: "pem" }).toString(),
  };
  for (const [name, value] of Object.entries(secrets)) await writeFile(join(folder, name), value);
  return folder;
}

/** `functions/<name>/main.ts` as a process of its own; its address once it listens. */
export async function startFunction(t: ExecutionContext, name: string, secrets: string) {
  const child = spawn(process.execPath, [join(project, "functions", name, "main.ts")], {
    env: {
      PATH: process.env.PATH,
      port: "0",
      secret_mount_path: secrets,
      ledger_path: join(secrets, "ledger.db"),
      objects_path: join(secrets, "objects"),
      github_app_id: "1",
    },
    stdio: ["ignore", "ignore", "pipe"],
  });
  t.teardown(() => child.kill("SIGKILL"));
  const said: string[] = [];
  const url = await new Promise<string>((resolve, reject) => {
    createInterface({ input: child.stderr }).on("line", (line) => {
      said.push(line);
      const [, port] = /"url":"http:\/\/0\.0\.0\.0:(\d+)"/.exec(line) ?? [];
      if (port !== undefined) resolve(`http://127.0.0.1:${port}/`);
    });
    child.once("exit", (code) => reject(new Error(`ended with ${code}: ${said.join("\n")}`)));
  });
  return { child, url };
}

/** The gateway client, with the gateway's part done here: the function's path is cut off. */
export function clientFor(url: string) {
  const key = { id: "1", secret: "payload" };
  const send = createSendCall();
  return createGatewayClient(
    "http://gateway/",
    { user: "u", password: "p", key },
    ({ pathname, search }, call) => {
      const path = pathname.replace(/^\/function\/([\w-]+)\.openfaas-system/, "/$1");
      return send(new URL(path + search, url), call);
    },
  );
}
