import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { connectDocker, readSocketPath, refuseElsewhere, refuseOld } from "./connect-docker.ts";
import { defaultSettings } from "./settings.ts";

const info = {
  ServerVersion: "20.10.24",
  OSType: "linux",
  OperatingSystem: "Debian GNU/Linux 12 (bookworm)",
  NCPU: 2,
  Runtimes: { runc: {} },
  DockerRootDir: "/var/lib/docker",
  CgroupDriver: "systemd",
  CgroupVersion: "2",
};

test("DOCKER_HOST names a socket of this machine, or nothing", (t) => {
  t.is(readSocketPath(undefined), "/var/run/docker.sock");
  t.is(readSocketPath(""), "/var/run/docker.sock");
  t.is(readSocketPath("unix:///run/user/1000/docker.sock"), "/run/user/1000/docker.sock");
});

for (const host of [
  "tcp://10.0.0.1:2375",
  "ssh://me:hunter2@host",
  "npipe:////./pipe/x",
  "unix://x",
]) {
  test(`DOCKER_HOST ${host} is refused with the remedy and without a password`, (t) => {
    const error = t.throws(() => readSocketPath(host), { message: /this machine's own Docker/ });

    t.false(error?.message.includes("hunter2"));
  });
}

test("a socket that is not there says how Docker is installed and named", async (t) => {
  const folder = await setUp(t);

  const connecting = connectDocker(`unix://${folder}/none.sock`, defaultSettings);

  await t.throwsAsync(connecting, { message: /No Docker answers at .*none\.sock.*DOCKER_HOST/ });
});

test("a file where the socket should be is told as it is", async (t) => {
  const folder = await setUp(t);
  await writeFile(join(folder, "docker.sock"), "");

  const connecting = connectDocker(`unix://${folder}/docker.sock`, defaultSettings);

  await t.throwsAsync(connecting, { message: /docker\.sock/ });
});

for (const ServerVersion of ["19.03.15", "4.3.1"]) {
  test(`a Docker ${ServerVersion} is refused as too old`, (t) => {
    t.throws(() => refuseOld({ ServerVersion }), { message: /need Docker Engine 20\.10 or newer/ });
  });
}

for (const ServerVersion of ["20.10.24+dfsg1", "29.0.0", "dev"]) {
  test(`a Docker ${ServerVersion} is taken`, (t) => {
    t.notThrows(() => refuseOld({ ServerVersion }));
  });
}

for (const [changed, message] of [
  [{ OSType: "windows" }, /windows/],
  [{ OperatingSystem: "Docker Desktop" }, /Docker Desktop .*--engine process/],
  [{ SecurityOptions: ["name=seccomp", "name=rootless"] }, /Rootless/],
] as const) {
  test(`${JSON.stringify(changed)} is refused with a way out`, (t) => {
    t.notThrows(() => refuseElsewhere(info));
    t.throws(
      () =>
        refuseElsewhere({
          ...info,
          ...changed,
          SecurityOptions: "SecurityOptions" in changed ? [...changed.SecurityOptions] : [],
        }),
      { message },
    );
  });
}

async function setUp(t: ExecutionContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "ofc-dh-"));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  return folder;
}
