import test from "ava";
import { findRunGroups, type RunGroups } from "./run-groups.ts";

const LIMITS = { memoryBytes: 1_000, processes: 60 };
const filesOf = (groups: readonly RunGroups[]) =>
  groups.map(({ folder, file }) => `${folder}/*/${file}`);

for (const [driver, version, parent, files] of [
  [
    ...["cgroupfs", "1", ""],
    [
      "/sys/fs/cgroup/memory/docker/buildkit/*/memory.limit_in_bytes",
      "/sys/fs/cgroup/pids/docker/buildkit/*/pids.max",
    ],
  ],
  [
    ...["cgroupfs", "2", "/other"],
    ["/sys/fs/cgroup/other/buildkit/*/memory.max", "/sys/fs/cgroup/other/buildkit/*/pids.max"],
  ],
  [
    ...["systemd", "2", ""],
    ["/sys/fs/cgroup/system.slice/*/memory.max", "/sys/fs/cgroup/system.slice/*/pids.max"],
  ],
] as const) {
  test(`the groups of RUN with ${driver}, version ${version} and parent "${parent}" are found`, (t) => {
    const groups = findRunGroups({ driver, version, parent }, LIMITS);

    t.deepEqual(filesOf(groups), [...files]);
    t.deepEqual(
      groups.map(({ limit }) => limit),
      [1_000, 60],
    );
    t.deepEqual(
      groups.map(({ isOwn }) => isOwn),
      Array(2).fill(driver === "cgroupfs"),
    );
  });
}

test("beside containers and services of systemd a RUN is known by its id", (t) => {
  const [group] = findRunGroups({ driver: "systemd", version: "2", parent: "" }, LIMITS);

  const names = [
    "docker-qnr3wx7xjtwgls9qnq5cqqwpw.scope",
    `docker-${"ab12".repeat(16)}.scope`,
    "docker.service",
    "cron.service",
  ];
  t.deepEqual(
    names.map((name) => group?.isRun(name)),
    [true, false, false, false],
  );
});

test("what has no limit is not looked for", (t) => {
  const cgroups = { driver: "cgroupfs", version: "1", parent: "" };

  t.deepEqual(findRunGroups(cgroups, { memoryBytes: 0, processes: 0 }), []);
  t.is(findRunGroups(cgroups, { ...LIMITS, memoryBytes: 0 }).length, 1);
});
