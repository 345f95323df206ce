import { once } from "node:events";
import test from "ava";
import { dockerMissing, startDocker } from "../../test/helpers/start-docker.ts";
import { registryMissing, startRegistry } from "../../test/helpers/start-registry.ts";
import { BASE, runIn, shareBuildkit, showAsStandalone } from "../buildkit/test-buildkit.ts";
import { logOf, packImage, startImageBuilder } from "./test-image-builder.ts";

const { dockerTest, setUp, teardown } = shareBuildkit(test, "pinned images are not built on", {
  missing: dockerMissing ?? registryMissing,
  start: startDocker,
});
const GONE = `sha256:${"0".repeat(64)}`;

dockerTest("a build stands on the digests of its plan, and its log names each base", async (t) => {
  const there = await setUp();
  const { api } = there.docker;
  const { host } = await startRegistry({ teardown });
  const repo = `${host}/base/tools`;
  await there.docker.importBase("ofc.test/marked:1", ["od"]);
  await api.getImage("ofc.test/marked:1").tag({ repo, tag: "1" });
  await once((await api.getImage(`${repo}:1`).push({ authconfig: {} })).resume(), "end");
  const { RepoDigests, Id } = await api.getImage(`${repo}:1`).inspect();
  const digest = RepoDigests?.find((one) => one.startsWith(repo))?.replace(/^.*@/, "") ?? "";
  await api.getImage(BASE).tag({ repo, tag: "1" });
  const rules = {
    platformPrefixes: ["ofc.local"],
    basePrefixes: [`${host}/`, "ofc.test/"],
    syntaxes: [],
  };
  const { build } = await startImageBuilder(t, there.address, { images: { rules } });
  const bases = {
    [`${repo}:1`]: { kind: "digest", digest },
    "ofc.test/marked:1": { kind: "local", imageId: Id },
  };
  const Dockerfile = [
    "ARG TAG=1",
    `FROM ${BASE} AS elsewhere`,
    `FROM ${repo}:$TAG`,
    "COPY --from=ofc.test/marked:1 /bin/od /copied",
    "RUN --mount=from=elsewhere,target=/x true",
  ];

  const lines = await build(
    await packImage({ Dockerfile: Dockerfile.join("\n") }, { name: "pinned", bases }),
  );

  const last = lines.at(-1);
  t.is(last?.status, "success", last?.error);
  const files = await runIn(there, last?.digest ?? "", "ls", "-1", "/bin/od", "/copied");
  t.is(files, "/bin/od\n/copied\n");
  const told = logOf(lines)
    .split("\n")
    .filter((line) => line.startsWith("base "));
  t.deepEqual(told, [
    `base ${repo}:1: ${digest}`,
    `base ofc.test/marked:1: ${Id}, an image of this machine that no registry has`,
  ]);
});

dockerTest(
  "a pinned image that is nowhere to be had fails the build with its name, digest and what to do",
  async (t) => {
    const there = await setUp();
    const registry = await startRegistry(t);
    await registry.stop();
    const base = `${registry.host}/base/tools:1`;
    const rules = {
      platformPrefixes: ["ofc.local"],
      basePrefixes: [registry.host, "ofc.test/"],
      syntaxes: [],
    };
    const { build } = await startImageBuilder(t, there.address, { images: { rules } });
    const bases = { [base]: { kind: "digest", digest: GONE } };

    const from = (await build(await packImage({ Dockerfile: `FROM ${base}\n` }, { bases }))).at(-1);
    const Dockerfile = `FROM ${BASE}\nCOPY --from=${base} /a /a\n`;
    const copy = (await build(await packImage({ Dockerfile }, { bases }))).at(-1);

    for (const last of [from, copy]) {
      t.like(last, { status: "failed" });
      t.true(last?.error?.includes(`base image ${base} is pinned to ${GONE}, which is neither in`));
      t.regex(last?.error ?? "", /docker pull .*@sha256:0+ .*\.\/ofc bases --refresh.*refused/s);
    }
  },
);

dockerTest(
  "a buildkitd of its own is asked what a tag stands for, and says so again when it has moved",
  async (t) => {
    const there = await setUp();
    const { api } = there.docker;
    const registry = await startRegistry(t);
    const repo = `${registry.host}/base/asked`;
    const publish = async (image: string) => {
      await api.getImage(image).tag({ repo, tag: "1" });
      await once((await api.getImage(`${repo}:1`).push({ authconfig: {} })).resume(), "end");
      const { RepoDigests } = await api.getImage(`${repo}:1`).inspect();
      // A buildkitd does not see Docker's images.
      await api.getImage(`${repo}:1`).remove();
      return RepoDigests?.find((one) => one.startsWith(repo))?.replace(/^.*@/, "") ?? "";
    };
    const address = await showAsStandalone(t, there);
    const rules = { platformPrefixes: ["ofc.local"], basePrefixes: [registry.host], syntaxes: [] };
    const { builder } = await startImageBuilder(t, address, { images: { rules } });
    const { bases } = builder;
    await there.docker.importBase("ofc.test/marked:1", ["od"]);

    const one = await publish(BASE);
    const first = await bases.pin([`${repo}:1`]);
    const two = await publish("ofc.test/marked:1");
    const held = await bases.pin([`${repo}:1`]);
    await bases.refresh();
    const moved = await bases.pin([`${repo}:1`]);
    await registry.stop();
    const unknown = await bases.pin([`${repo}:2`]);

    t.true(one !== two);
    t.deepEqual(first, { [`${repo}:1`]: { kind: "digest", digest: one } });
    t.deepEqual(held, first);
    t.deepEqual(moved, { [`${repo}:1`]: { kind: "digest", digest: two } });
    t.like(unknown[`${repo}:2`], { kind: "tag" });
    t.regex(JSON.stringify(unknown), /connection refused/);
  },
);

dockerTest("names that are not pinned are built on, and the log says why", async (t) => {
  const there = await setUp();
  const { build } = await startImageBuilder(t, there.address);
  const bases = { [BASE]: { kind: "tag", reason: "no such host" } };
  const Dockerfile = `FROM ${BASE}\nCOPY --from=$WHO / /\n`;

  const lines = await build(await packImage({ Dockerfile }, { bases }));

  t.regex(logOf(lines), /base ofc\.test\/base:1: by its name, not pinned: no such host$/m);
  t.regex(logOf(lines), /base \$WHO: by its name, which has a variable$/m);
});
