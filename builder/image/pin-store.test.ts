import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { HttpError } from "#sdk/errors.ts";
import { createLog } from "#sdk/log.ts";
import type { StoredImage } from "./image-store.ts";
import { createPinStore } from "./pin-store.ts";

const ONE = `sha256:${"1".repeat(64)}`;
const TWO = `sha256:${"2".repeat(64)}`;
const HOUR = 3_600_000;

/** A store and a registry as they are set to be; `asked` is what the registry was asked for. */
async function setUp(t: ExecutionContext, basePrefixes: readonly string[] = []) {
  const folder = await mkdtemp(join(tmpdir(), "ofc-pins-"));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const path = join(folder, "base-images.json");
  const lines: string[] = [];
  const world = {
    clock: 1_000_000 * HOUR,
    stored: undefined as StoredImage | undefined,
    registry: undefined as string | undefined,
    docker: "up" as "up" | "down",
    asked: [] as string[],
  };
  const open = () =>
    createPinStore({
      path,
      source: {
        async find() {
          if (world.docker === "down") throw new Error("connect ENOENT /var/run/docker.sock");
          return world.stored;
        },
        async askRegistry(reference) {
          world.asked.push(reference);
          if (world.registry === undefined) throw new Error("no such host");
          return world.registry;
        },
        findLogin: () => undefined,
      },
      rules: { platformPrefixes: ["ofc.local"], basePrefixes, syntaxes: [] },
      refreshMs: 24 * HOUR,
      now: () => world.clock,
      log: createLog((line) => lines.push(line)),
    });
  return { world, open, path, lines };
}

test("what the store has from a registry is taken as it is, and no registry asked", async (t) => {
  const { world, open } = await setUp(t);
  world.stored = { id: TWO, digests: [`other/node@${TWO}`, `docker.io/library/node@${ONE}`] };

  const pins = await open().pin(["node:24"]);

  t.deepEqual(pins, { "node:24": { kind: "digest", digest: ONE } });
  t.deepEqual(world.asked, []);
});

test("an image that no registry gave is known by its id, whatever its age", async (t) => {
  const { world, open } = await setUp(t);
  world.stored = { id: ONE, digests: [] };
  const store = open();
  await store.pin(["node:24"]);
  world.clock += 25 * HOUR;
  world.stored = { id: TWO, digests: [] };

  const pins = await store.pin(["node:24"]);

  t.deepEqual(pins, { "node:24": { kind: "local", imageId: TWO } });
  t.deepEqual(world.asked, []);
});

test("a digest holds for base_image_refresh, over a restart too; then the registry is asked", async (t) => {
  const { world, open } = await setUp(t);
  world.registry = ONE;
  await open().pin(["node:24"]);
  world.registry = TWO;

  world.clock += 23 * HOUR;
  const held = await open().pin(["node:24"]);
  world.clock += 2 * HOUR;
  const moved = await open().pin(["node:24"]);

  t.deepEqual(held, { "node:24": { kind: "digest", digest: ONE } });
  t.deepEqual(moved, { "node:24": { kind: "digest", digest: TWO } });
  t.is(world.asked.length, 2);
});

test("a registry that is away moves nothing, and is asked again after five minutes", async (t) => {
  const { world, open } = await setUp(t);
  const store = open();
  world.registry = ONE;
  await store.pin(["node:24"]);
  await store.refresh();
  world.registry = undefined;

  const held = await store.pin(["node:24"]);
  await store.pin(["node:24"]);
  const [told] = await store.list();
  world.clock += HOUR / 10;
  world.registry = TWO;
  const moved = await store.pin(["node:24"]);

  t.deepEqual(held, { "node:24": { kind: "digest", digest: ONE } });
  t.is(told?.problem, "no such host");
  t.deepEqual(moved, { "node:24": { kind: "digest", digest: TWO } });
  t.is(world.asked.length, 3);
});

test("a name that nobody can resolve is taken by its name, with the reason", async (t) => {
  const { open } = await setUp(t);

  const pins = await open().pin(["node:24"]);

  t.deepEqual(pins, { "node:24": { kind: "tag", reason: "no such host" } });
});

test("nobody is asked for what owners may not build on", async (t) => {
  const { world, open } = await setUp(t, ["node"]);

  const pins = await open().pin(["169.254.169.254/a:1", "ofc.local/bob/shop/cart:1", "mine/b:2"]);

  t.deepEqual(
    Object.values(pins).map(({ kind }) => kind),
    ["tag", "tag", "tag"],
  );
  t.deepEqual(world.asked, []);
});

test("while Docker is away what is known holds, and what is not is tried again later", async (t) => {
  const { world, open } = await setUp(t);
  world.registry = ONE;
  const store = open();
  await store.pin(["node:24"]);
  await store.refresh();
  world.docker = "down";

  const known = await store.pin(["node:24"]);
  const unknown = await t.throwsAsync(store.pin(["bash:5"]), { instanceOf: HttpError });

  t.deepEqual(known, { "node:24": { kind: "digest", digest: ONE } });
  t.like(unknown, { status: 503, code: "docker-unreachable" });
});

test("two pushes at once ask once", async (t) => {
  const { world, open } = await setUp(t);
  world.registry = ONE;
  const store = open();

  await Promise.all([store.pin(["node:24"]), store.pin(["node:24", "bash:5"])]);

  t.deepEqual(world.asked.toSorted(), ["bash:5", "node:24"]);
});

test("a file that cannot be read is asked for anew, and that is logged", async (t) => {
  const { world, open, path, lines } = await setUp(t);
  world.registry = ONE;
  await writeFile(path, '{"v":2}');

  const pins = await open().pin(["node:24"]);

  t.deepEqual(pins, { "node:24": { kind: "digest", digest: ONE } });
  t.regex(lines.join(""), /base-images-unreadable/);
  t.regex(await readFile(path, "utf8"), /^\{"v":1,/);
});
