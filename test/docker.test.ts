import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { access, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import test from "ava";
import { dockerMissing, startDocker } from "./helpers/start-docker.ts";
import { until } from "./helpers/until.ts";

const dockerTest = dockerMissing === undefined ? test : test.skip;
if (dockerMissing !== undefined) test.skip(`docker is not tested: ${dockerMissing}`, () => {});

dockerTest("a container of the base image runs, and this machine reaches it", async (t) => {
  const { api, importBase } = await startDocker(t);
  await importBase("ofc.test/node:24", ["node"]);

  const container = await api.createContainer({
    Image: "ofc.test/node:24",
    Cmd: ["node", "-e", "require('http').createServer((q, r) => r.end('hello')).listen(80)"],
  });
  await container.start();
  const { NetworkSettings } = await container.inspect();
  const answer = await until(
    () =>
      fetch(`http://${NetworkSettings.Networks.bridge?.IPAddress}/`).then(
        (response) => response.text(),
        () => false,
      ),
    60_000,
  );

  t.is(answer, "hello");
});

dockerTest("a test file that is killed leaves no process, mount, bridge or file", async (t) => {
  const program = `
    import { startDocker } from "${import.meta.dirname}/helpers/start-docker.ts";
    const docker = await startDocker({ teardown() {} });
    await docker.importBase("ofc.test/base:1");
    await docker.api.createNetwork({ Name: "other" });
    const container = await docker.api.createContainer({ Image: "ofc.test/base:1", Cmd: ["sleep", "1000"] });
    await container.start();
    console.log(docker.socketPath);`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", program]);
  const [said] = await once(child.stdout, "data");
  const folder = dirname(String(said).trim());
  const subnet = await readFile(join(folder, "subnet"), "utf8");
  const link = indexOfLink(subnet);
  t.not(link, "");

  child.kill("SIGKILL");
  await until(
    () =>
      access(folder).then(
        () => false,
        () => true,
      ),
    120_000,
  );

  t.false((await readFile("/proc/self/mounts", "utf8")).includes(folder));
  await until(() => !indexesOfLinks().includes(link), 60_000);
  t.false(execFileSync("ps", ["-A", "-o", "args"], { encoding: "utf8" }).includes(`${folder}/`));
});

dockerTest("a dockerd that was killed starts again over its images", async (t) => {
  const docker = await startDocker(t);
  await docker.importBase("ofc.test/base:1");

  await docker.kill();
  await t.throwsAsync(docker.api.ping());
  await docker.start();

  const [image] = await docker.api.listImages();
  t.deepEqual(image?.RepoTags, ["ofc.test/base:1"]);
});

/** Numbers are not given again, names and addresses are. */
function indexOfLink(subnet: string): string {
  const addresses = execFileSync("ip", ["-o", "-4", "address"], { encoding: "utf8" });
  const found = addresses.split("\n").find((line) => line.includes(`inet ${subnet}0.1/`));
  return found?.split(":")[0] ?? "";
}

function indexesOfLinks(): string[] {
  const links = execFileSync("ip", ["-o", "link"], { encoding: "utf8" });
  return links.split("\n").map((line) => line.split(":")[0] ?? "");
}
