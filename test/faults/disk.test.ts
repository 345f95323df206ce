import { execFileSync } from "node:child_process";
import { mkdir, open, rm, statfs } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import test, { type ExecutionContext } from "ava";
import { readAnswer } from "./observe.ts";
import { type Scene, setUp } from "./set-up.ts";

/** The whole data folder on a file system of its own that a test may fill or make read-only. */
async function setUpDisk(t: ExecutionContext): Promise<Scene & { readonly disk: string }> {
  const scene = await setUp(t);
  const disk = scene.stage.dataFolder;
  await scene.stage.victim.kill("SIGTERM");
  const kept = `${disk}.kept`;
  execFileSync("mv", [disk, kept]);
  await mkdir(disk);
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=64m,mode=700", "tmpfs", disk]);
  t.teardown(async () => {
    if (!scene.stage.victim.isGone()) await scene.stage.victim.kill("SIGKILL");
    execFileSync("umount", ["-l", disk]);
  });
  execFileSync("cp", ["-a", `${kept}/.`, disk]);
  await rm(kept, { recursive: true });
  await (await scene.stage.live()).ready;
  return { ...scene, disk };
}

/** Root may mount; who may not sees one line. */
function mayMount(t: ExecutionContext): boolean {
  if (process.getuid?.() === 0) return true;
  t.log("skipped: only root may mount the file system that is filled");
  t.pass();
  return false;
}

for (const freeKib of [0, 16, 256]) {
  test.serial(
    `with ${freeKib} KiB left on the disk nothing is torn, and with space again the newest commit goes live`,
    async (t) => {
      if (!mayMount(t)) return;
      const { stage, disk, forge, github, judge } = await setUpDisk(t);
      const ballast = join(disk, "ballast");
      await fill(disk, ballast, freeKib);

      const pushing = [forge.push("good"), github.push("good")];
      // A push whose webhook cannot be recorded waits until it can.
      await Promise.race([Promise.all(pushing), sleep(5_000)]);
      const served = await readAnswer(stage.url, "alice-shop-one");
      await rm(ballast);
      if (stage.victim.isGone()) await (await stage.live()).ready;
      await Promise.all(pushing);
      for (const tree of [forge, github]) await tree.push("good");

      t.regex(served, /^forge:alice\/shop#[12]$/);
      t.deepEqual(await judge(), []);
    },
  );
}

test.serial("up on a read-only disk says so in a sentence", async (t) => {
  if (!mayMount(t)) return;
  const { stage, disk, judge } = await setUpDisk(t);
  await stage.victim.kill("SIGKILL");
  execFileSync("mount", ["-o", "remount,ro", disk]);

  const victim = await stage.live();
  const code = await victim.gone;
  execFileSync("mount", ["-o", "remount,rw", disk]);
  await stage.live();

  t.is(code, "1");
  t.regex(victim.said(), /read-only|readonly|EROFS/i);
  t.notRegex(victim.said(), /\n\s+at .*\.ts:/);
  t.deepEqual(await judge(), []);
});

async function fill(disk: string, ballast: string, freeKib: number): Promise<void> {
  const { bavail, bsize } = await statfs(disk);
  const bytes = Math.max(0, bavail * bsize - freeKib * 1024);
  const file = await open(ballast, "w");
  try {
    // Zeros that are really there: a hole takes no space.
    for (let left = bytes; left > 0; left -= 65_536)
      await file.write(Buffer.alloc(Math.min(left, 65_536)));
  } finally {
    await file.close();
  }
}
