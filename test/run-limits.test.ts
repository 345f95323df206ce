import { execFile } from "node:child_process";
import { mkdtemp, rm, statfs } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import test, { type ExecutionContext } from "ava";
import { BASE, openTestBuildkit } from "../builder/buildkit/test-buildkit.ts";
import { findRunGroups, type RunLimits } from "../builder/image/run-groups.ts";
import { logOf, packImage, startImageBuilder } from "../builder/image/test-image-builder.ts";
import { dockerMissing, startDocker } from "./helpers/start-docker.ts";
import { until } from "./helpers/until.ts";

const run = promisify(execFile);
const MIB = 1024 ** 2;

const dockerTest = dockerMissing === undefined ? test.serial : test.serial.skip;
if (dockerMissing !== undefined)
  test.skip(`what bounds a RUN is not tested: ${dockerMissing}`, () => {});

dockerTest(
  "a RUN that wants more memory than its limit is killed, and the build says how much it has",
  async (t) => {
    const { build } = await limitedBuilder(t, { memoryBytes: 64 * MIB, processes: 0 });

    // It keeps a line until its end, and this has none.
    const hog = await build("head -c 400000000 /dev/zero | tail -n 1 > /dev/null");
    const modest = await build("head -c 4000000 /dev/zero | tail -n 1 > /dev/null");

    t.regex(
      hog.error,
      /^Step "\[2\/2\] RUN head .*exit code: 137.* \(killed; a RUN has 64 MiB of memory here: build_memory_mib\)$/,
    );
    t.is(modest.error, "");
  },
);

dockerTest(
  "a RUN that starts processes without end gets no more than its limit, and one beside it all of its own",
  async (t) => {
    const { build } = await limitedBuilder(t, { memoryBytes: 0, processes: 60 });
    // A busy machine sees a step late, and what is there by then stays.
    const start = (count: number) =>
      `sleep 5; i=0; while [ $i -lt ${count} ]; do sleep 15 & i=$((i+1)); echo "started $i."; done; wait`;

    const [bomb, modest] = await Promise.all([build(start(500)), build(start(40))]);

    t.regex(
      bomb.error,
      /^Step "\[2\/2\] RUN sleep 5; .* \(a RUN has 60 processes here: build_pids\)$/,
    );
    t.true(
      bomb.log.includes("started 40.") && !bomb.log.includes("started 61."),
      bomb.log.slice(-200),
    );
    t.is(modest.error, "");
  },
);

dockerTest(
  "a RUN that fills the disk is stopped before it is full, and the next build has room",
  async (t) => {
    const path = await makeDisk(t, 256);
    const { build } = await limitedBuilder(t, undefined, { path, reserveBytes: 96 * MIB });

    const filler = await build("while dd if=/dev/zero bs=1M count=2; do sleep 0.02; done >> /fill");
    // What was stopped gives its room back in its own time; a build before that may be sent again.
    await until(async () => {
      const { bavail, bsize } = await statfs(path);
      return bavail * bsize > 120 * MIB;
    }, 60_000);
    const next = await build("dd if=/dev/zero of=/some bs=1M count=20");

    t.regex(
      filler.error,
      /^Docker's disk has [\d.]+ MiB free, less than the 96 MiB of disk_reserve_mib, while this was built; the build was stopped\.$/,
    );
    t.is(next.error, "");
  },
);

dockerTest(
  "on a disk that is short nothing is built, and the build may be sent again",
  async (t) => {
    const path = await makeDisk(t, 256);
    const { send } = await limitedBuilder(t, undefined, { path, reserveBytes: 300 * MIB });

    const last = (await send("true")).at(-1);

    t.like(last, { status: "failed", retryable: true });
    t.regex(
      last?.error ?? "",
      /^Docker's disk has .* of disk_reserve_mib; nothing is built until there is more\.$/,
    );
  },
);

/** A builder on a dockerd of its own, whose data lie on `disk.path` when that is given. */
async function limitedBuilder(
  t: ExecutionContext,
  limits: RunLimits = { memoryBytes: 0, processes: 0 },
  disk?: { readonly path: string; readonly reserveBytes: number },
) {
  const docker = await startDocker(
    t,
    disk === undefined ? {} : { flags: ["--data-root", disk.path] },
  );
  const { address } = await openTestBuildkit(docker);
  const { CgroupDriver: driver, CgroupVersion: version } = await docker.api.info();
  const parent = `ofcd-${docker.gateway.split(".")[1]}`;
  const groups = findRunGroups({ driver, version, parent }, limits);
  const { build } = await startImageBuilder(t, address, {
    images: { runLimits: limits },
    runs: { groups, ...(disk && { disk }) },
  });
  const send = async (command: string) =>
    build(await packImage({ Dockerfile: `FROM ${BASE}\nRUN ${command}\n` }));
  return {
    send,
    async build(command: string) {
      const lines = await send(command);
      return { error: lines.at(-1)?.error ?? "", log: logOf(lines) };
    },
  };
}

/** A small disk in memory, gone after the dockerd that is started later. */
async function makeDisk(t: ExecutionContext, sizeMib: number): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "ofc-disk-"));
  await run("mount", ["-t", "tmpfs", "-o", `size=${sizeMib}m`, "tmpfs", path]);
  t.teardown(async () => {
    await run("umount", ["-l", path]);
    await rm(path, { recursive: true });
  });
  return path;
}
