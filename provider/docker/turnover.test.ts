import { randomInt } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { Readable } from "node:stream";
import test, { type ExecutionContext } from "ava";
import type Docker from "dockerode";
import { pack } from "tar-stream";
import { dockerMissing, startDocker } from "../../test/helpers/start-docker.ts";
import { call } from "../contract/contract-kit.ts";
import { eventually } from "../test-kit.ts";
import type { Settings } from "./settings.ts";
import { BASE_IMAGE, openUnderTest, shareDocker } from "./test-kit.ts";

const TEMPLATE = new URL("../../templates/template/node24/", import.meta.url);

if (dockerMissing === undefined) {
  const { docker, image } = shareDocker(test, startDocker);

  test("a replaced version ends once its requests are answered, and does not serve on for write_timeout", async (t) => {
    const { engine } = await setUp(t);
    const template = await buildTemplate(docker().api);
    const envVars = { write_timeout: "30m" };
    await engine.deploy({ service: "leaving", image: template, envVars });

    await engine.deploy({ service: "leaving", image: template, envVars: { ...envVars, a: "b" } });

    const count = async () => (await findContainers("leaving")).length;
    t.is(await eventually(count, 1, 60_000), 1);
    t.is(await call(engine, "leaving"), "template");
  });

  test("a deploy waits for an address while replicas that leave hold all of them", async (t) => {
    const subnet = `10.${randomInt(1, 64)}.${randomInt(0, 256)}.0/28`;
    const { engine } = await setUp(t, { subnet });
    const deploy = (service: string, version: string) =>
      engine.deploy({ service, image: image(), envVars: { version } });
    await deploy("many", "1");
    await engine.scale("many", 12);
    await eventually(() => engine.status("many").then((one) => one?.availableReplicas), 12, 60_000);
    await deploy("one", "1");

    const deploying = deploy("one", "2");
    const before = await call(engine, "one");
    await engine.scale("many", 11);
    await deploying;

    t.is(before, "1");
    t.is(await call(engine, "one"), "2");
  });

  async function setUp(t: ExecutionContext, settings: Partial<Settings> = {}) {
    const under = await openUnderTest(docker(), image(), settings);
    t.teardown(under.dispose);
    return under;
  }

  async function findContainers(name: string) {
    const filters = { label: [`com.openfaas.cloud.function=${name}`] };
    return docker().api.listContainers({ all: true, filters });
  }
} else test.skip(`how versions take turns is not tested: ${dockerMissing}`, () => {});

/** The node24 template as an image, without its steps that install something. */
async function buildTemplate(api: Docker): Promise<string> {
  const context = pack();
  const names = (await readdir(TEMPLATE)).filter((name) => /\.(js|json)$/.test(name));
  for (const name of names)
    context.entry({ name }, await readFile(new URL(name, TEMPLATE), "utf8"));
  const handler = 'module.exports = async (event, context) => context.succeed("template");';
  context.entry({ name: "function/handler.js" }, handler);
  const dockerfile = [
    `FROM ${BASE_IMAGE}`,
    "WORKDIR /home/app",
    "COPY . .",
    'CMD ["node", "index.js"]',
  ];
  context.entry({ name: "Dockerfile" }, dockerfile.join("\n"));
  context.finalize();
  const progress = await api.buildImage(Readable.from(context, { objectMode: false }), {
    t: "ofc.test/template:1",
  });
  await new Promise<void>((resolve, reject) =>
    api.modem.followProgress(progress, (error) => (error ? reject(error) : resolve())),
  );
  const { Id } = await api.getImage("ofc.test/template:1").inspect();
  return `ofc.test/template:1@${Id}`;
}
