import { execFileSync } from "node:child_process";
import test from "ava";
import { readLogins } from "#sdk/registry-logins.ts";
import { findTemplate, readTemplates } from "#sdk/templates.ts";
import { dockerMissing, startDocker } from "../test/helpers/start-docker.ts";
import { registryMissing, startRegistry } from "../test/helpers/start-registry.ts";
import { until } from "../test/helpers/until.ts";
import { BASE, openTestBuildkit, runIn, shareBuildkit } from "./buildkit/test-buildkit.ts";
import { logOf, packImage, startImageBuilder } from "./image/test-image-builder.ts";
import { faasCliRequest, followLines, parseLines, signedRequest } from "./test-builder.ts";

const { dockerTest, setUp } = shareBuildkit(test, "images are not built", {
  missing: dockerMissing,
  start: startDocker,
});
if (registryMissing !== undefined) test.skip(`images are not pushed: ${registryMissing}`, () => {});
const registryTest = registryMissing === undefined ? dockerTest : test.skip;

dockerTest(
  "a context with a Dockerfile becomes an image that runs, and the log tells its steps",
  async (t) => {
    const there = await setUp();
    const { build, leftWork } = await startImageBuilder(t, there.address);
    const Dockerfile = `FROM ${BASE}\nARG WHO\nCOPY a.txt /\nRUN echo "hello $WHO"\n`;

    const lines = await build(
      await packImage({ Dockerfile, "a.txt": "tea" }, { name: "first", buildArgs: { WHO: "you" } }),
    );

    const last = lines.at(-1);
    t.like(last, { status: "success", image: "ofc.local/alice/shop/first:1" });
    t.is(await runIn(there, last?.digest ?? "", "cat", "/a.txt"), "tea");
    t.true((last?.sizeBytes ?? 0) > 100_000);
    t.regex(logOf(lines), /\[2\/3\] COPY a\.txt \/\n.*\[3\/3\] RUN echo "hello you"\nhello you\n/s);
    t.deepEqual(await leftWork(), []);
  },
);

dockerTest("the template node24 becomes an image that answers, without a network", async (t) => {
  const there = await setUp();
  await there.docker.importBase("node:24-alpine", ["node", "npm"]);
  const { build } = await startImageBuilder(t, there.address);
  const template = findTemplate(await readTemplates(), "node24");
  const files = (template?.files ?? []).map(({ path, content }) => [path, content.toString()]);
  const handler = "module.exports = async () => 'hello from an image';";

  const last = (
    await build(await packImage({ ...Object.fromEntries(files), "function/handler.js": handler }))
  ).at(-1);

  t.is(last?.status, "success", last?.error);
  const container = await there.docker.api.createContainer({ Image: last?.digest ?? "" });
  await container.start();
  const { NetworkSettings } = await container.inspect();
  const url = `http://${NetworkSettings.Networks.bridge?.IPAddress}:8080/`;
  const answer = await until(
    () =>
      fetch(url).then(
        (response) => response.text(),
        () => false,
      ),
    60_000,
  );
  t.is(answer, "hello from an image");
  await container.remove({ force: true });
});

dockerTest(
  "settings and Dockerfile may come last, behind more than is held in memory",
  async (t) => {
    const there = await setUp();
    const { build } = await startImageBuilder(t, there.address);
    const big = "x".repeat(3_000_000);
    const tar = await packImage(
      { big, "z.txt": "z", Dockerfile: `FROM ${BASE}\nCOPY . /all/\n` },
      { name: "late" },
    );

    const last = (await build(tar)).at(-1);

    t.is(last?.status, "success", last?.error);
    t.is(await runIn(there, last?.digest ?? "", "wc", "-c", "/all/big"), "3000000 /all/big\n");
  },
);

dockerTest(
  "two owners with the same Dockerfile get two stamps, the same owner the one it has",
  async (t) => {
    const there = await setUp();
    const { build } = await startImageBuilder(t, there.address);
    const Dockerfile = `FROM ${BASE}\nRUN date +%s%N > /stamp\n`;
    const stampOf = async (owner: string) => {
      const tar = await packImage({ Dockerfile }, { name: owner.replace(":", ""), ownerId: owner });
      const last = (await build(tar, { owner })).at(-1);
      return runIn(there, last?.digest ?? "", "cat", "/stamp");
    };

    const alice = await stampOf("github:1");
    const bob = await stampOf("github:2");

    t.not(bob, alice);
    t.is(await stampOf("github:1"), alice);
  },
);

for (const [what, Dockerfile, reason] of [
  [
    "FROM",
    "FROM ofc.local/bob/shop/cart:1",
    /ofc\.local\/bob\/shop\/cart:1".*not one of this owner's/,
  ],
  ["an argument's default", "ARG A=bob\nFROM ofc.local/$A/shop/cart:1", /not one of this owner's/],
  ["COPY --from", `FROM ${BASE}\nCOPY --from=ofc.local/bob/shop/cart:1 /a /a`, /not one of this/],
  ["a mount", `FROM ${BASE}\nRUN --mount=from=ofc.local/bob/x,target=/a ls`, /not one of this/],
  ["ONBUILD", `FROM ${BASE}\nONBUILD COPY --from=ofc.local/bob/x /a /a`, /not one of this owner's/],
  [
    "# syntax",
    `# syntax=evil.example.org/frontend\nFROM ${BASE}`,
    /frontend "evil.example.org\/frontend"/,
  ],
  [
    "ADD of an address",
    `FROM ${BASE}\nADD http://127.0.0.1:8080/system/functions /`,
    /ADD takes files/,
  ],
  ["a registry of this machine", "FROM localhost:5000/bob/shop/cart:1", /build_base_images/],
] as const)
  dockerTest(`what is another's cannot be reached by ${what}`, async (t) => {
    const there = await setUp();
    const { build } = await startImageBuilder(t, there.address);

    const last = (await build(await packImage({ Dockerfile }, { name: "thief" }))).at(-1);

    t.is(last?.status, "failed");
    t.regex(last?.error ?? "", reason);
    t.is(last?.retryable, undefined);
  });

dockerTest("an owner builds on its own image", async (t) => {
  const there = await setUp();
  const { build } = await startImageBuilder(t, there.address);
  await build(
    await packImage({ Dockerfile: `FROM ${BASE}\nRUN echo own > /own\n` }, { name: "own" }),
  );
  const Dockerfile = "FROM ofc.local/alice/shop/own:1\nRUN cat /own\n";

  const lines = await build(await packImage({ Dockerfile }, { name: "upon" }));

  t.is(lines.at(-1)?.status, "success");
  t.regex(logOf(lines), /\nown(\n|$)/);
});

dockerTest(
  "lines come while a step runs; a caller who goes away ends it inside BuildKit",
  async (t) => {
    const there = await setUp();
    const { answer, leftWork } = await startImageBuilder(t, there.address);
    const Dockerfile = `FROM ${BASE}\nRUN echo begun; sleep 5151\n`;

    const lines = followLines(await answer(signedRequest(await packImage({ Dockerfile }))));
    const seen = await lines.readTo('"begun"');
    await lines.leave();

    await until(() => !processes().includes("sleep 5151"), 60_000);
    await until(async () => (await leftWork()).length === 0, 60_000);
    t.false(seen.includes('"failed"'));
  },
);

dockerTest("a build over its time is stopped, and says so", async (t) => {
  const there = await setUp();
  const { build } = await startImageBuilder(t, there.address, {
    settings: { buildTimeoutMs: 3_000 },
  });
  const Dockerfile = `FROM ${BASE}\nRUN sleep 5252\n`;

  const last = (await build(await packImage({ Dockerfile }))).at(-1);

  t.is(last?.error, "The build took longer than 3 s and was stopped.");
  await until(() => !processes().includes("sleep 5252"), 60_000);
});

dockerTest("a flood of output is cut, and the build goes on", async (t) => {
  const there = await setUp();
  const { build } = await startImageBuilder(t, there.address, {
    settings: { maxLogBytes: 50_000 },
  });
  const Dockerfile = `FROM ${BASE}\nRUN yes | head -c 2000000; dd if=/dev/zero bs=1M count=2 | tr '\\0' x\n`;

  const lines = await build(await packImage({ Dockerfile }));

  t.is(lines.at(-1)?.status, "success", lines.at(-1)?.error);
  t.regex(logOf(lines), /the log is cut at 50000 bytes$/);
  t.true(lines.every((line) => JSON.stringify(line).length < 64 * 1024));
});

dockerTest(
  "one who waits hears its place, and goes on when the one before it leaves",
  async (t) => {
    const there = await setUp();
    const { answer } = await startImageBuilder(t, there.address, { settings: { concurrency: 1 } });
    const send = async (step: string) => {
      const tar = await packImage({ Dockerfile: `FROM ${BASE}\nRUN ${step}\n` });
      return followLines(await answer(signedRequest(tar)));
    };

    const first = await send("echo begun; sleep 5353");
    await first.readTo('"begun"');
    const second = await send("echo second");
    const waiting = await second.readTo("waiting");
    await first.leave();

    t.regex(waiting, /^\{"log":\["waiting, next in line"\]/);
    t.regex(await second.readTo('"success"'), /"success"/);
  },
);

dockerTest("a step that fails is named, and its last words are in the log", async (t) => {
  const there = await setUp();
  const { build } = await startImageBuilder(t, there.address);
  const Dockerfile = `FROM ${BASE}\nRUN printf 'no such tea' >&2; exit 3\n`;

  const lines = await build(await packImage({ Dockerfile }));

  t.regex(lines.at(-1)?.error ?? "", /^Step "\[2\/2\] RUN printf .* failed: .*exit code: 3/);
  t.regex(logOf(lines), /\nno such tea(\n|$)/);
});

dockerTest("a base that is not there fails the build by its name", async (t) => {
  const there = await setUp();
  const { build } = await startImageBuilder(t, there.address);

  const last = (
    await build(await packImage({ Dockerfile: "FROM ofc.local/alice/shop/none:1\n" }))
  ).at(-1);

  t.regex(last?.error ?? "", /ofc\.local\/alice\/shop\/none:1/);
});

dockerTest(
  "a sweep removes what no release uses, nothing young, in use or of somebody else",
  async (t) => {
    const there = await openTestBuildkit(await startDocker(t));
    const { build, builder } = await startImageBuilder(t, there.address);
    const digests: string[] = [];
    for (const name of ["kept", "unused", "running"]) {
      const tar = await packImage(
        { Dockerfile: `FROM ${BASE}\nRUN echo ${name} > /a\n` },
        { name },
      );
      digests.push((await build(tar)).at(-1)?.digest ?? "");
    }
    const [kept = "", unused = "", running = ""] = digests;
    await there.docker.api.createContainer({ Image: running, Cmd: ["sleep", "1"] });

    const young = await builder.artifacts.sweep(new Set([kept]));
    const swept = await builder.artifacts.sweep(new Set([kept]), 0);

    t.deepEqual(young, []);
    t.deepEqual(swept, [unused]);
    const left = (await there.docker.api.listImages()).map(({ Id }) => Id);
    t.deepEqual(
      [left.includes(kept), left.includes(unused), left.includes(running)],
      [true, false, true],
    );
    t.true((await there.docker.api.getImage(BASE).inspect()).Id !== "");
  },
);

dockerTest("health follows BuildKit, and a build without it may be sent again", async (t) => {
  const docker = await startDocker(t);
  const { address } = await openTestBuildkit(docker);
  const { answer, build } = await startImageBuilder(t, address);
  const ask = async () => (await answer(new Request("http://builder/healthz"))).status;

  const before = await ask();
  await docker.kill();
  const after = await ask();
  const last = (await build(await packImage({ Dockerfile: `FROM ${BASE}\n` }))).at(-1);

  t.deepEqual([before, after], [200, 503]);
  t.like(last, { status: "failed", retryable: true });
  t.regex(last?.error ?? "", /^BuildKit cannot be reached at docker-unix:/);
});

const config = JSON.stringify({
  auths: { HOST: { auth: Buffer.from("ofc:secret").toString("base64") } },
});
for (const login of [false, true])
  registryTest(
    `an image is pushed to a registry ${login ? "with" : "without"} a login, and known by its digest there`,
    async (t) => {
      const there = await setUp();
      const { host } = await startRegistry(t, { login });
      const { build } = await startImageBuilder(t, there.address, {
        images: { pushPrefix: `${host}/team/` },
        ...(login ? { findLogin: readLogins(config.replace("HOST", host)) } : {}),
      });
      const Dockerfile = `FROM ${BASE}\nRUN date +%N > /a\n`;

      const last = (await build(await packImage({ Dockerfile }))).at(-1);

      t.is(last?.status, "success", last?.error);
      t.is(last?.image, "ofc.local/alice/shop/cart:1");
      const manifest = await fetch(`http://${host}/v2/team/alice/shop/cart/manifests/1`, {
        headers: {
          // The latter is what engines with containerd's store push.
          accept:
            "application/vnd.docker.distribution.manifest.v2+json, application/vnd.oci.image.manifest.v1+json",
          authorization: `Basic ${Buffer.from("ofc:secret").toString("base64")}`,
        },
      });
      t.is(manifest.headers.get("docker-content-digest"), last?.digest ?? "");
    },
  );

registryTest("a build that asks for no push is built, and pushed nowhere", async (t) => {
  const there = await setUp();
  const { host } = await startRegistry(t);
  const { answer } = await startImageBuilder(t, there.address, { images: { pushPrefix: host } });
  const Dockerfile = `FROM ${BASE}\nRUN echo kept > /kept\n`;
  const tar = await packImage({ Dockerfile }, { skipPush: true, platforms: ["linux/amd64"] });

  const last = parseLines(await (await answer(faasCliRequest(tar))).text()).at(-1);

  t.is(last?.status, "success", last?.error);
  t.is(await runIn(there, last?.digest ?? "", "cat", "/kept"), "kept\n");
  t.deepEqual(await (await fetch(`http://${host}/v2/_catalog`)).json(), { repositories: [] });
});

registryTest(
  "a registry that refuses the login, and one that is gone, are no fault of the context",
  async (t) => {
    const there = await setUp();
    const registry = await startRegistry(t, { login: true });
    const { build } = await startImageBuilder(t, there.address, {
      images: { pushPrefix: registry.host },
    });
    const tar = await packImage({ Dockerfile: `FROM ${BASE}\nRUN echo x\n` });

    const refused = (await build(tar)).at(-1);
    await registry.stop();
    const gone = (await build(tar)).at(-1);

    for (const last of [refused, gone]) {
      t.like(last, { status: "failed", retryable: true });
      // The latter is what engines say whose BuildKit pushes.
      const ways = [` to ${registry.host}: `, `: failed to push ${registry.host}/`];
      t.true(ways.some((way) => last?.error?.startsWith(`The image could not be pushed${way}`)));
    }
    t.regex(refused?.error ?? "", /no basic auth credentials|401 Unauthorized/);
  },
);

function processes(): string {
  return execFileSync("ps", ["-A", "-o", "args"], { encoding: "utf8" });
}
