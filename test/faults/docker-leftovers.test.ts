import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "ava";
import { containerLabels } from "../../provider/docker/format-container.ts";
import { dockerMissing, startDocker } from "../helpers/start-docker.ts";
import { findDockerLeftovers } from "./docker-leftovers.ts";

const dockerTest = dockerMissing === undefined ? test : test.skip;
if (dockerMissing !== undefined)
  test.skip(`what is left on Docker is not looked for: ${dockerMissing}`, () => {});

const BASE = "ofc.test/base:1";

dockerTest(
  "whatever a platform leaves on Docker is found, and what has to be there is not",
  async (t) => {
    const dataFolder = await mkdtemp(join(tmpdir(), "ofc-left-"));
    t.teardown(() => rm(dataFolder, { recursive: true, force: true }));
    const replicas = join(dataFolder, "engine/docker/replicas");
    for (const id of ["aaaa", "bbbb", "dddd"]) await mkdir(join(replicas, id), { recursive: true });
    await writeFile(join(replicas, "../platform.json"), '{"v":1,"platform":"01234567"}');
    const docker = await startDocker(t);
    await docker.importBase(BASE);
    for (const Name of ["ofc-01234567", "stray"]) await docker.api.createNetwork({ Name });
    const run = async (service: string, replica: string) => {
      const { function: name, release, fence } = containerLabels;
      const Labels = {
        [name]: service,
        [release]: "r",
        [fence]: "1",
        [containerLabels.replica]: replica,
      };
      const created = await docker.api.createContainer({
        Image: BASE,
        Cmd: ["sleep", "9999"],
        Labels,
      });
      if (replica !== "bbbb") await created.start();
    };
    await run("cart", "aaaa");
    await run("cart", "bbbb");
    await run("old", "cccc");
    const { Id } = await docker.api.getImage(BASE).inspect();
    await docker.api.getImage(BASE).tag({ repo: "again", tag: "1" });
    const serving = ["cart", "pay"].map((service) => ({
      ...{ service, release: "r", fence: 1, pending: false, switchedBack: false },
    }));

    const before = await findDockerLeftovers(docker, dataFolder, serving, [Id, "sha256:none"]);
    await docker.api.getImage(BASE).remove({ force: true });
    await docker.api.getImage("again:1").remove({ force: true });
    const after = await findDockerLeftovers(docker, dataFolder, serving, []);

    t.deepEqual(before, [
      "no container runs pay r fence 1",
      "a container is left of old r fence 1",
      "a container is left of cart r fence 1, created",
      "engine/docker/replicas/dddd is left",
      "network stray is left",
      "image sha256:none is not there",
    ]);
    t.deepEqual(after.slice(before.length - 1), [`image ${Id} has no name`]);
  },
);
