import { type ChildProcess, execFile, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import test, { type ExecutionContext } from "ava";
import { until } from "./test-kit.ts";

/** The real process, as its parent starts it. */
async function startMain(t: ExecutionContext, extra: Record<string, string> = {}) {
  const folder = await mkdtemp(join(tmpdir(), "gateway-main-"));
  for (const name of ["basic-auth-user", "basic-auth-password", "payload-secret"]) {
    await writeFile(join(folder, name), `${name}-value\n`);
  }
  const child = fork(join(import.meta.dirname, "main.ts"), {
    silent: true,
    env: {
      port: "0",
      functions_provider_url: `unix:${folder}/provider.sock`,
      queue_url: `unix:${folder}/queue.sock`,
      forge_url: `unix:${folder}/forge.sock`,
      builder_url: `unix:${folder}/builder.sock`,
      system_functions_url: `unix:${folder}/functions.sock`,
      secret_mount_path: folder,
      ...extra,
    },
  });
  let output = "";
  let log = "";
  child.stdout?.on("data", (chunk) => {
    output += chunk;
  });
  child.stderr?.on("data", (chunk) => {
    log += chunk;
  });
  t.teardown(async () => {
    child.kill("SIGKILL");
    await rm(folder, { recursive: true, force: true });
  });
  return { child, output: () => output, log: () => log };
}

async function listening(child: ChildProcess): Promise<string> {
  const [message] = await once(child, "message");
  return typeof message === "object" && message !== null && "listening" in message
    ? String(message.listening)
    : "";
}

test("the process tells its parent where it listens, knows no function yet, says nothing on stdout and stops on SIGTERM", async (t) => {
  const { child, output, log } = await startMain(t);

  const url = await listening(child);
  const response = await fetch(`${url}/ready`);
  const unknown = await fetch(`${url}/function/cart`);
  const queued = await fetch(`${url}/async-function/cart`, { method: "POST" });
  const exited = once(child, "exit");
  child.kill("SIGTERM");

  t.deepEqual([response.status, unknown.status, queued.status], [503, 503, 503]);
  t.deepEqual(await exited, [0, null]);
  t.is(output(), "");
  t.false(log().includes("-value"), "a secret is in the log");
});

test("Ctrl-C leaves the order of stopping to the parent", async (t) => {
  const { child } = await startMain(t);
  const url = await listening(child);

  child.kill("SIGINT");

  for (let round = 0; round < 5; round++) t.is((await fetch(`${url}/ready`)).status, 503);
});

test("the process ends when its parent is gone", async (t) => {
  const { child } = await startMain(t);
  await listening(child);

  const exited = once(child, "exit");
  child.disconnect();

  t.deepEqual(await exited, [0, null]);
});

test("a wrong configuration ends the process and is named in the log", async (t) => {
  const { child, log } = await startMain(t, {
    queue_url: "nowhere",
    secret_mount_path: "/nowhere",
  });

  const [code] = await once(child, "exit");

  t.is(code, 1);
  await until(() => log().includes("queue_url is"));
});

/** Prints what is loaded: URLs of modules, and Node's own by their internal names. */
const LIST_LOADED = `
  import { registerHooks } from "node:module";
  const loaded = [];
  registerHooks({
    resolve(specifier, context, next) {
      const found = next(specifier, context);
      loaded.push(found.url);
      return found;
    },
  });
  await import(process.argv[1]);
  console.log([...loaded, ...process.moduleLoadList].join("\\n"));
`;

test("of undici the gateway loads its pool alone, not Node's own copy of it, and no zod", async (t) => {
  const gateway = new URL("./gateway.ts", import.meta.url).href;
  const flags = ["--disable-warning=ExperimentalWarning", "--input-type=module"];

  const args = [...flags, "--eval", LIST_LOADED, gateway];
  const { stdout } = await promisify(execFile)(process.execPath, args);

  const heavy = /deps\/undici\/undici$|\/undici\/(?:index|lib\/web\/.*)\.js$|\/zod\//;
  const loaded = stdout.split("\n");
  t.true(loaded.some((name) => name.endsWith("/undici/lib/dispatcher/pool.js")));
  t.deepEqual(
    loaded.filter((name) => heavy.test(name)),
    [],
  );
});
