import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, truncateSync, writeFileSync } from "node:fs";
import { mkdir, open, rm, statfs } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import test, { type ExecutionContext } from "ava";
import { findLeftovers } from "./leftovers.ts";
import { readAnswer } from "./observe.ts";
import { type Scene, setUp } from "./set-up.ts";

/** The whole data folder on a file system of its own that a test may fill or make read-only. */
async function setUpDisk(
  t: ExecutionContext,
  mount: (disk: string, image: string) => void,
): Promise<Scene & { readonly disk: string; readonly image: string }> {
  // Without it every push is refused before anything is written.
  const scene = await setUp(t, { disk_reserve_mib: "0" });
  t.timeout(400_000);
  const disk = scene.stage.dataFolder;
  const image = `${disk}.image`;
  await scene.stage.victim.kill("SIGTERM");
  const kept = `${disk}.kept`;
  execFileSync("mv", [disk, kept]);
  await mkdir(disk);
  mount(disk, image);
  t.teardown(async () => {
    if (!scene.stage.victim.isGone()) await scene.stage.victim.kill("SIGKILL");
    execFileSync("umount", ["-l", disk]);
  });
  execFileSync("cp", ["-a", `${kept}/.`, disk]);
  await rm(kept, { recursive: true });
  // What is only in memory is lost with a disk that fails.
  execFileSync("sync", ["--file-system", disk]);
  await (await scene.stage.live()).ready;
  return { ...scene, disk, image };
}

function mountSmall(disk: string): void {
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=64m,mode=700", "tmpfs", disk]);
}

/** A real one: a tmpfs with open files is too busy to be made read-only. */
function mountExt4(disk: string, image: string): void {
  writeFileSync(image, "");
  truncateSync(image, 128 * 1024 * 1024);
  execFileSync("mkfs.ext4", ["-q", "-F", image]);
  execFileSync("mount", ["-o", "loop,errors=remount-ro", image, disk]);
  execFileSync("rmdir", [join(disk, "lost+found")]);
  execFileSync("chmod", ["700", disk]);
}

/** Root may mount; who may not sees one line. */
function mayMount(t: ExecutionContext, device?: string): boolean {
  if (process.getuid?.() === 0 && (device === undefined || existsSync(device))) return true;
  t.log(`skipped: only root ${device === undefined ? "" : `with ${device} `}may mount this disk`);
  t.pass();
  return false;
}

/** What stopping leaves behind; the data folder itself has to be whole. */
async function stopAndLook({ stage }: Scene): Promise<string[]> {
  stage.remember(stage.victim.children());
  await stage.victim.kill("SIGTERM");
  return findLeftovers(stage.dataFolder, stage.temporary, stage.everSeen.values());
}

for (const freeKib of [0, 16, 256]) {
  test.serial(
    `with ${freeKib} KiB left on the disk nothing is torn, and with space again the newest commit goes live`,
    async (t) => {
      if (!mayMount(t)) return;
      const scene = await setUpDisk(t, mountSmall);
      const { stage, disk, forge, github, judge } = scene;
      const ballast = join(disk, "ballast");
      await fill(disk, ballast, freeKib);

      const pushed = forge.push("good");
      const pushing = [pushed, github.push("good")];
      // A push whose webhook cannot be recorded waits until it can.
      await Promise.race([Promise.all(pushing), sleep(5_000)]);
      const served = await readAnswer(stage.url, "alice-shop-one");
      await rm(ballast);
      if (stage.victim.isGone()) await (await stage.live()).ready;
      await Promise.all(pushing);
      for (const tree of [forge, github]) await tree.push("good");

      const { accepted, said } = await pushed;
      t.true(accepted || /the platform's disk is full|No space left/.test(said), said);
      t.regex(served, /^forge:alice\/shop#[12]$/);
      t.deepEqual(await judge(), []);
      t.deepEqual(await stopAndLook(scene), []);
    },
  );
}

test.serial("up on a read-only disk says so in a sentence", async (t) => {
  if (!mayMount(t)) return;
  const { stage, disk, judge } = await setUpDisk(t, mountSmall);
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

test.serial(
  "a disk that turns read-only under the platform: pushes are refused with a sentence, functions serve on, a restart on the mended disk heals",
  async (t) => {
    if (!mayMount(t, "/dev/loop-control")) return;
    const scene = await setUpDisk(t, mountExt4);
    const { stage, disk, image, forge, github, judge } = scene;
    // As the kernel does when a write fails: every later one is refused.
    execFileSync("mount", ["-o", "remount,abort", disk]);

    const pushed = await forge.push("good");
    await github.push("good");
    const served = await readAnswer(stage.url, "alice-shop-one");
    const isGone = stage.victim.isGone();
    const code = await stage.victim.kill("SIGTERM");
    execFileSync("umount", [disk]);
    t.notThrows(() => mend(image));
    execFileSync("mount", ["-o", "loop", image, disk]);
    await (await stage.live()).ready;
    for (const tree of [forge, github]) await tree.push("good");

    t.false(isGone, stage.victim.said());
    t.is(code, "0");
    t.false(pushed.accepted);
    t.regex(pushed.said, /remote: Nothing was taken: the platform's disk has become read-only/);
    t.is(served, "forge:alice/shop#1");
    t.deepEqual(await judge(), []);
    t.deepEqual(await stopAndLook(scene), []);
  },
);

/** `e2fsck` ends with 1 when it has mended something. */
function mend(image: string): void {
  const { status, stdout } = spawnSync("e2fsck", ["-f", "-p", image], { encoding: "utf8" });
  if (status !== 0 && status !== 1) throw new Error(`e2fsck ended with ${status}: ${stdout}`);
}

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
