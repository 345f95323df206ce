import { tmpdir } from "node:os";
import test from "ava";
import { silentLog } from "#sdk/log.ts";
import { createRunWatch } from "./watch-runs.ts";

const LONG_MS = 60_000;

function setUp(reserveBytes: number) {
  let cleared = 0;
  const disk = { path: tmpdir(), reserveBytes };
  const watch = createRunWatch({
    ...{ disk, groups: [], atOnce: 2, log: silentLog },
    async makeRoom() {
      cleared += 1;
      // Somebody else makes room meanwhile.
      disk.reserveBytes = 1;
    },
  });
  return { disk, watch, cleared: () => cleared };
}

/** A build that goes on until it is stopped, and then says why. */
function stopOf(signal: AbortSignal): Promise<unknown> {
  return new Promise((resolve, reject) => {
    signal.addEventListener("abort", () => resolve(signal.reason), { once: true });
    setTimeout(() => reject(new Error("It is not stopped.")), LONG_MS).unref();
  });
}

test("one build that was alone when the disk became short is at fault, of two neither is", async (t) => {
  const { disk, watch } = setUp(1);
  const fill = async (signal: AbortSignal) => {
    disk.reserveBytes = 2 ** 60;
    return stopOf(signal);
  };

  const alone = await watch.during(fill);
  disk.reserveBytes = 1;
  const begun = Promise.withResolvers<void>();
  const beside = watch.during((stop) => {
    begun.resolve();
    return stopOf(stop);
  });
  await begun.promise;
  const [other, filler] = await Promise.all([beside, watch.during(fill)]);

  t.like(alone, { status: 422, code: "disk-short" });
  t.like(other, { status: 503, code: "disk-short" });
  t.like(filler, { status: 503, code: "disk-short" });
});

test("before a build on a short disk unused cache goes, and it is built when that was enough", async (t) => {
  const { watch, cleared } = setUp(2 ** 60);

  t.is(await watch.during(async () => "built"), "built");
  t.is(cleared(), 1);
});
