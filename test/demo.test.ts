import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { removeRules } from "#provider/docker/test-kit.ts";
import { dockerEnv, readPlatformId } from "./helpers/docker-platform.ts";
import { type PlatformOptions, removeData, startPlatform } from "./helpers/platform.ts";
import { dockerMissing, startDocker } from "./helpers/start-docker.ts";
import { importTemplateBases } from "./helpers/template-bases.ts";

const dockerTest = dockerMissing === undefined ? test : test.skip;
if (dockerMissing !== undefined)
  test.skip(`the demo on Docker is not tested: ${dockerMissing}`, () => {});

test("the demo pushes its shop, calls what went live, and stays up", async (t) => {
  const { words, stop } = await startDemo(t, { engine: "process" });

  checkWords(t, words);
  t.true(words.some((line) => /^engine +process, for development and trusted code: /.test(line)));
  t.is(await stop(), 0);
  t.is(words.at(-1), "Stopping …");
});

dockerTest(
  "where Docker answers the demo is images and containers without being asked",
  async (t) => {
    const docker = await startDocker(t);
    await importTemplateBases(docker);
    const { words, stop, dataFolder } = await startDemo(t, {
      engine: "auto",
      env: { DOCKER_HOST: `unix://${docker.socketPath}` },
    });
    t.teardown(async () => removeRules(`OFC-${await readPlatformId(dataFolder)}-`));

    checkWords(t, words);
    t.true(words.some((line) => /^engine +docker, containers without capabilities /.test(line)));
    t.true(
      words.some((line) =>
        /^builder +BuildKit at .*; a RUN gets [\d.]+ .iB of memory and 4096 processes; RUN reaches the internet, but not /.test(
          line,
        ),
      ),
    );
    t.is((await docker.api.listContainers()).length, 2);
    t.is(await stop(), 0);
    t.regex(words.at(-1) ?? "", /^Stopping …; functions stay in their containers/);
    t.is((await docker.api.listContainers()).length, 2);
  },
);

dockerTest("a demo whose shop cannot be built ends with what to look at", async (t) => {
  const docker = await startDocker(t);
  const env = { ...dockerEnv(docker), build_base_images: "none/such" };
  const dataFolder = await mkdtemp(join(tmpdir(), "ofc-demo-"));
  t.teardown(() => removeData(dataFolder));

  const starting = startPlatform({ command: "demo", engine: "docker", env, dataFolder });

  const { message } = (await t.throwsAsync(starting)) ?? { message: "" };
  t.regex(message, /remote: failed after .* The Dockerfile uses the image "node:24-alpine"/);
  t.regex(message, /\nofc demo: examples\/shop did not go live; the lines above say why\./);
  t.notRegex(message, /curl /);
});

async function startDemo(t: ExecutionContext, options: PlatformOptions) {
  const platform = await startPlatform({ ...options, command: "demo" });
  t.teardown(async () => {
    await platform.stop();
    await removeData(platform.dataFolder);
  });
  return platform;
}

function checkWords(t: ExecutionContext, words: readonly string[]): void {
  const text = words.join("\n");
  t.regex(text, /remote: shop@[0-9a-f]{7} {2}2 functions: cart \(node24\), banner \(bash\)\n/);
  t.regex(text, /\n {2}remote: live in /);
  t.regex(text, /\/demo-cart .*\n {2}\{"lines":.*"total":4\.4,"currency":"EUR"\}\n/);
  t.regex(text, /\/demo-banner .*\n(.*\n)* {2}\| It is live \|\n/);
}
