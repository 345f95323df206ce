import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "ava";
import { readLogins } from "#sdk/registry-logins.ts";
import { buildGoProgram, GO_BUILD_MS, goMissing } from "../../test/helpers/go-program.ts";
import { dockerMissing, startDocker } from "../../test/helpers/start-docker.ts";
import { registryMissing, startRegistry } from "../../test/helpers/start-registry.ts";
import { until } from "../../test/helpers/until.ts";
import { logOf, packImage, startImageBuilder } from "../image/test-image-builder.ts";
import { sealSecrets } from "../secrets/test-seal.ts";
import { faasCliRequest, followLines, parseLines, signedRequest } from "../test-builder.ts";
import { parseBuildkitAddress } from "./address.ts";
import { openBuildkit } from "./open-buildkit.ts";
import { BASE, imageBuild } from "./test-buildkit.ts";

/** A real buildkitd, which Debian does not have; BUILDKITD may name another one. */
const BUILDKITD = {
  name: "buildkitd",
  package: "github.com/moby/buildkit/cmd/buildkitd",
  version: "v0.25.1",
};
const given = process.env.BUILDKITD;
const missing = (given === undefined ? goMissing : undefined) ?? dockerMissing ?? registryMissing;
if (missing !== undefined) test.skip(`a real buildkitd is not tested: ${missing}`, () => {});
const peerTest = missing === undefined ? test.serial : test.skip;

const ends: (() => Promise<void>)[] = [];
const teardown = (run: () => Promise<void>) => void ends.unshift(run);
test.after.always(async () => {
  for (const end of ends) await end();
});

/** buildkitd, and a registry with a base image that it may log in to. */
async function start(program: string) {
  const { host } = await startRegistry({ teardown }, { login: true });
  const docker = await startDocker({ teardown });
  const base = `${host}/base/base:1`;
  await docker.importBase(BASE);
  await docker.api.getImage(BASE).tag({ repo: `${host}/base/base`, tag: "1" });
  const authconfig = { username: "ofc", password: "secret", serveraddress: host };
  const pushing = await docker.api.getImage(base).push({ authconfig });
  await once(pushing.resume(), "end");

  const folder = await mkdtemp(join(tmpdir(), "ofcbk-"));
  const socket = join(folder, "bk.sock");
  await mkdir(join(folder, "root"));
  const flags = [
    "--root",
    join(folder, "root"),
    "--addr",
    `unix://${socket}`,
    "--oci-worker-net",
    "host",
  ];
  const daemon = spawn(program, flags, { stdio: "ignore" });
  const ended = once(daemon, "exit");
  teardown(async () => {
    daemon.kill("SIGTERM");
    await ended;
    await rm(folder, { recursive: true, force: true });
  });
  const address = parseBuildkitAddress(`unix://${socket}`);
  const buildkit = openBuildkit(address);
  await until(
    () =>
      buildkit.listWorkers().then(
        () => true,
        () => false,
      ),
    60_000,
  );
  const auth = Buffer.from("ofc:secret").toString("base64");
  const findLogin = readLogins(JSON.stringify({ auths: { [host]: { auth } } }));
  return { host, base, address, buildkit, findLogin, docker };
}
let shared: Awaited<ReturnType<typeof start>> | undefined;
test.before(async (t) => {
  t.timeout(GO_BUILD_MS);
  if (missing === undefined) shared = await start(given ?? (await buildGoProgram(BUILDKITD)));
});

async function setUp() {
  if (shared === undefined) throw new Error("peerTest only");
  const there = shared;
  const { host, findLogin } = there;
  const rules = {
    platformPrefixes: ["ofc.local", `${host}/functions`],
    basePrefixes: [`${host}/base/`],
    syntaxes: [],
  };
  const builder = await startImageBuilder({ teardown }, there.address, {
    images: { pushPrefix: `${host}/functions/`, rules },
    findLogin,
  });
  return { ...there, ...builder };
}

peerTest(
  "it builds on a private base, pushes, and the engine pulls the digest it said",
  async (t) => {
    const { build, base, host, docker, buildkit } = await setUp();
    const Dockerfile = `FROM ${base}\nRUN echo tea > /a && echo brewed\n`;

    const lines = await build(await packImage({ Dockerfile }));

    const last = lines.at(-1);
    t.is(last?.status, "success", last?.error);
    t.regex(logOf(lines), /\nbrewed(\n|$)/);
    const authconfig = { username: "ofc", password: "secret", serveraddress: host };
    const name = `${host}/functions/alice/shop/cart@${last?.digest}`;
    const pulling = await docker.api.pull(name, { authconfig });
    await once(pulling.resume(), "end");
    t.true(((await docker.api.getImage(name).inspect()).RepoDigests ?? []).includes(name));
    t.regex((await buildkit.readVersion()) ?? "", /./);
    t.true((await buildkit.listWorkers())[0]?.pushes);
  },
);

peerTest("a build that asks for no push reads its secrets, and is kept nowhere", async (t) => {
  const { answer, base, host } = await setUp();
  const read = "RUN --mount=type=secret,id=token,required=true echo read $(cat /run/secrets/token)";
  const sealed = { "com.openfaas.secrets": sealSecrets({ token: "canary" }) };
  const config = { name: "unpushed", ownerId: undefined, skipPush: true };
  const tar = await packImage({ Dockerfile: `FROM ${base}\n${read}\n` }, config, sealed);

  const lines = parseLines(await (await answer(faasCliRequest(tar))).text());

  t.is(lines.at(-1)?.status, "success", lines.at(-1)?.error);
  t.is(lines.at(-1)?.digest, undefined);
  t.regex(logOf(lines), /\nread \*\*\*(\n|$)/);
  const authorization = `Basic ${Buffer.from("ofc:secret").toString("base64")}`;
  const tags = await fetch(`http://${host}/v2/functions/alice/shop/unpushed/tags/list`, {
    headers: { authorization },
  });
  t.is(tags.status, 404);
});

peerTest("equal steps of two owners are two steps there, too", async (t) => {
  const { build, base } = await setUp();
  const Dockerfile = `FROM ${base}\nRUN date +%s%N | sed s/^/stamp-/\n`;
  const runs = async (owner: string) => {
    const lines = await build(await packImage({ Dockerfile }, { ownerId: owner }), { owner });
    t.is(lines.at(-1)?.status, "success", lines.at(-1)?.error);
    return /stamp-\d{19}/.test(logOf(lines));
  };

  t.deepEqual(
    [await runs("github:1"), await runs("github:2"), await runs("github:1")],
    [true, true, false],
  );
});

peerTest(
  "another owner's image is refused, and an ONBUILD of a base cannot fetch it",
  async (t) => {
    const { build, base, host, buildkit, findLogin } = await setUp();
    const theirs = { image: "ofc.local/bob/shop/cart:1", ownerId: "github:2" };
    const tar = await packImage({ Dockerfile: `FROM ${base}\nRUN echo theirs > /a\n` }, theirs);
    t.is((await build(tar, { owner: "github:2" })).at(-1)?.status, "success");
    const image = `${host}/functions/bob/shop/cart:1`;
    const trap = `${host}/base/trap:1`;
    const Dockerfile = `FROM ${base}\nONBUILD COPY --from=${image} /a /stolen\n`;
    await buildkit.build(imageBuild({ Dockerfile }, { image: trap, push: true, findLogin }));

    const direct = (await build(await packImage({ Dockerfile: `FROM ${image}\n` }))).at(-1);
    const trapped = (await build(await packImage({ Dockerfile: `FROM ${trap}\n` }))).at(-1);

    for (const last of [direct, trapped])
      t.regex(last?.error ?? "", /uses the image ".*\/bob\/shop\/cart/);
  },
);

peerTest("an abort ends the step there, and cache is counted and collected", async (t) => {
  const { answer, base, buildkit } = await setUp();
  const Dockerfile = `FROM ${base}\nRUN echo begun; sleep 6161\n`;

  const lines = followLines(await answer(signedRequest(await packImage({ Dockerfile }))));
  const seen = await lines.readTo('"begun"');
  await lines.leave();

  t.true(seen.includes('"begun"'), seen);
  await until(
    () => buildkit.readDiskUsage().then((all) => all.every(({ inUse }) => !inUse)),
    60_000,
  );
  t.true((await buildkit.prune(0)) > 0);
});
