import { createHmac, randomUUID } from "node:crypto";
import { access, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import test from "ava";
import { errorCode } from "#sdk/errors.ts";
import { type RunningPlatform, removeData, startPlatform } from "./helpers/platform.ts";
import { makeRepository, removeRepository, stackOf } from "./helpers/repository.ts";
import { changeSecret } from "./helpers/secrets-api.ts";
import { until } from "./helpers/until.ts";

const SECRET = "canary-of-alice-7b1f";
/** Printed as one word that stands nowhere in the sources. */
const PRINTED = "canary-42-printed";
const HANDLER = `module.exports = async (event, context) => {
  console.log("canary-" + 6 * 7 + "-printed");
  return context.status(200).succeed("hello");
};`;
const cart = { lang: "node24", extra: "    secrets: [db]\n" };
const banner = { lang: "node24" };

test("of a function that the stack no longer has, and of an owner who left, the data folder keeps neither log nor secret", async (t) => {
  const platform = await startPlatform();
  t.teardown(async () => {
    await platform.stop();
    await removeData(platform.dataFolder);
  });
  const { url } = JSON.parse(await platform.ofc("token", "alice", "--json")) as { url: string };
  const shop = await makeRepository();
  t.teardown(() => removeRepository(shop));
  await changeSecret(platform, "POST", { name: "alice-db", value: SECRET });
  await shop.commit({
    "stack.yml": stackOf({ cart, banner }),
    "cart/handler.js": HANDLER,
    "banner/handler.js": HANDLER,
  });
  const both = await shop.push(`${url}/shop.git`);
  for (const name of ["alice-cart", "alice-banner"])
    await (await fetch(new URL(`function/${name}`, platform.url))).text();
  await until(async () => (await platform.ofc("logs", "alice-banner")).includes(PRINTED));
  await until(async () => (await platform.ofc("logs", "alice-cart")).includes(PRINTED));
  const logs = join(platform.dataFolder, "engine/logs");

  await shop.commit({ "stack.yml": stackOf({ cart }) });
  const one = await shop.push(`${url}/shop.git`);
  await until(async () => !(await isThere(join(logs, "alice-banner"))));
  const left = await findTexts(platform.dataFolder, [SECRET, PRINTED]);
  const status = await leave(platform, "alice");
  await until(async () => (await findTexts(platform.dataFolder, [SECRET, PRINTED])).length === 0);

  t.regex(both.output, /live in /, both.output);
  t.regex(one.output, /live in /, one.output);
  t.true(left.includes("engine/secrets/alice-db"), left.join(" "));
  t.true(left.includes("engine/logs/alice-cart/newer.ndjson"), left.join(" "));
  t.is(status, 200);
  t.false(await isThere(join(logs, "alice-cart")));
  t.deepEqual(await filesBelow(join(platform.dataFolder, "objects/v1")), []);
  t.is((await fetch(new URL("function/alice-cart", platform.url))).status, 404);
});

/** As GitHub tells that an App was uninstalled; the status of the answer. */
async function leave({ url, dataFolder }: RunningPlatform, login: string): Promise<number> {
  const secret = (await readFile(join(dataFolder, "secrets/forge-webhook-secret"), "utf8")).trim();
  const [owner = ""] = await readdir(join(dataFolder, "objects/v1"));
  const id = Number(owner.split(":")[1]);
  const body = JSON.stringify({
    action: "deleted",
    installation: { id: 0, account: { id, login } },
    repositories: [],
  });
  const response = await fetch(new URL("github-event", url), {
    method: "POST",
    body,
    headers: {
      "content-type": "application/json",
      "x-github-event": "installation",
      "x-github-delivery": randomUUID(),
      "x-hub-signature-256": `sha256=${createHmac("sha256", secret).update(body).digest("hex")}`,
    },
  });
  return response.status;
}

/** Files below a folder that hold one of the texts, but for Git's, which are their owner's own. */
async function findTexts(folder: string, texts: readonly string[]): Promise<string[]> {
  const found: string[] = [];
  for (const path of await filesBelow(folder)) {
    if (path.startsWith("git/")) continue;
    // Files come and go while the platform works.
    const content = await readFile(join(folder, path), "latin1").catch(() => "");
    if (texts.some((text) => content.includes(text))) found.push(path);
  }
  return found;
}

/** None of a folder that is not there; while one below it goes, there is no saying, and it is listed anew. */
async function filesBelow(folder: string): Promise<string[]> {
  if (!(await isThere(folder))) return [];
  try {
    const entries = await readdir(folder, { recursive: true, withFileTypes: true });
    return entries
      .filter((entry) => entry.isFile())
      .map(({ parentPath, name }) => join(parentPath, name).slice(folder.length + 1));
  } catch (error) {
    if (errorCode(error) !== "ENOENT") throw error;
    return filesBelow(folder);
  }
}

async function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
