import { execFileSync } from "node:child_process";
import test, { type ExecutionContext } from "ava";
import { HttpError } from "#sdk/errors.ts";
import { dockerMissing, startDocker } from "../../test/helpers/start-docker.ts";
import { until } from "../../test/helpers/until.ts";
import { parseBuildkitAddress } from "./address.ts";
import type { BuildEvent } from "./build-event.ts";
import { type Buildkit, openBuildkit } from "./open-buildkit.ts";
import {
  BASE,
  imageBuild,
  openTestBuildkit,
  printed,
  runIn,
  shareBuildkit,
  showAsStandalone,
  tarOf,
} from "./test-buildkit.ts";

/** What tests build in the one daemon differs by what they print. */
const {
  dockerTest,
  teardown,
  setUp: setUpShared,
} = shareBuildkit(test, "BuildKit is not tested", { missing: dockerMissing, start: startDocker });
let standalone: ReturnType<typeof showAsStandalone> | undefined;

async function setUp() {
  const there = await setUpShared();
  standalone ??= showAsStandalone({ teardown }, there);
  return { ...there, standalone: openBuildkit(await standalone) };
}

dockerTest(
  "a Dockerfile becomes an image in the engine's store, known by its digest",
  async (t) => {
    const there = await setUp();
    const files = {
      Dockerfile: `FROM ${BASE}\nARG GREETING\nCOPY a.txt /a.txt\nRUN echo "$GREETING" > /b.txt\n`,
      "a.txt": "one",
    };
    const buildArgs = { GREETING: "hello" };
    const labels = { "ofc.test": "yes" };
    const build = imageBuild(files, { buildArgs, labels, image: "local/alice/shop/first:1" });

    const { digest = "" } = await there.buildkit.build(build);

    t.regex(digest, /^sha256:[0-9a-f]{64}$/);
    t.is(await runIn(there, digest, "cat", "/a.txt", "/b.txt"), "onehello\n");
    const { Config, RepoTags } = await there.docker.api.getImage(digest).inspect();
    t.deepEqual(RepoTags, [build.image]);
    t.is(Config.Labels["ofc.test"], "yes");
  },
);

/** Both ends, through the same client. */
function bothTest(
  title: string,
  run: (t: ExecutionContext, buildkit: Buildkit, end: string) => Promise<void>,
) {
  dockerTest(`${title} (in dockerd)`, async (t) => run(t, (await setUp()).buildkit, "in"));
  dockerTest(`${title} (standalone)`, async (t) => run(t, (await setUp()).standalone, "alone"));
}

bothTest(
  "what a step prints comes while it runs, and an abort ends it",
  async (t, buildkit, end) => {
    const seconds = end === "in" ? "4242" : "4343";
    const leaving = new AbortController();
    const seen: BuildEvent[] = [];
    const onEvent = (event: BuildEvent) => {
      seen.push(event);
      if (printed(seen) === "begun\n") leaving.abort(new Error("superseded"));
    };
    const Dockerfile = `FROM ${BASE}\nRUN echo begun; sleep ${seconds}\n`;

    const building = buildkit.build(
      imageBuild({ Dockerfile }, { onEvent, signal: leaving.signal }),
    );

    await t.throwsAsync(building, { message: "superseded" });
    await until(() => !processes().includes(`sleep ${seconds}`), 60_000);
    t.is(printed(seen), "begun\n");
  },
);

bothTest("an abort in the middle of the upload stops it at its source", async (t, buildkit) => {
  const leaving = new AbortController();
  const { promise: stopped, resolve: stop } = Promise.withResolvers<void>();
  async function* endless() {
    try {
      yield* tarOf({ Dockerfile: `FROM ${BASE}\n`, a: "x".repeat(100_000) });
      for (let sent = 0; ; sent++) {
        if (sent === 100) leaving.abort(new Error("superseded"));
        yield new Uint8Array(100_000);
      }
    } finally {
      stop();
    }
  }

  const building = buildkit.build(imageBuild({}, { context: endless(), signal: leaving.signal }));

  await t.throwsAsync(building, { message: "superseded" });
  await t.notThrowsAsync(stopped);
});

bothTest(
  "a step that fails is named with its exit code, and what it printed was told",
  async (t, buildkit, end) => {
    const Dockerfile = `FROM ${BASE}\nRUN echo ${end} sad; exit 37\n`;
    const build = imageBuild({ Dockerfile });

    const error = await t.throwsAsync(buildkit.build(build), { instanceOf: HttpError });

    t.is(error?.status, 422);
    t.regex(
      error?.message ?? "",
      /^Step "\[2\/2\] RUN echo .* sad; exit 37" failed: .*exit code: 37/,
    );
    t.is(printed(build.events), `${end} sad\n`);
    t.true(build.events.some(({ kind }) => kind === "failed"));
  },
);

bothTest("a context that breaks off fails the build with its own reason", async (t, buildkit) => {
  async function* broken() {
    yield* tarOf({ Dockerfile: `FROM ${BASE}\n` });
    throw new HttpError(422, "bad-context", "git went away");
  }

  const building = buildkit.build(imageBuild({}, { context: broken() }));

  t.like(await t.throwsAsync(building), { message: "git went away", status: 422 });
});

bothTest(
  "a context without the Dockerfile says so and names no folder of the daemon",
  async (t, buildkit) => {
    const building = buildkit.build(imageBuild({ "a.txt": "x" }));

    const error = await t.throwsAsync(building);
    t.regex(error?.message ?? "", /open Dockerfile: no such file/);
    t.false(error?.message.includes("/tmp"));
  },
);

bothTest(
  "a secret reaches the step that mounts it and no layer; an unknown one is not there",
  async (t, buildkit, end) => {
    const there = await setUp();
    const mount = "--mount=type=secret,id=token,required=true";
    const Dockerfile = `FROM ${BASE}\nRUN ${mount} wc -c < /run/secrets/token > /${end}\n`;
    const secrets = new Map([["token", Buffer.from("secret")]]);
    const image = `local/alice/shop/${end}-secret:1`;

    const { digest = "" } = await buildkit.build(imageBuild({ Dockerfile }, { secrets, image }));
    const without = imageBuild({ Dockerfile: Dockerfile.replace("wc", "wc -w") });
    const refused = await t.throwsAsync(buildkit.build(without));

    t.is(await runIn(there, digest, "cat", `/${end}`), "6\n");
    t.regex(refused?.message ?? "", /secret token.*not found/);
  },
);

bothTest("equal steps of two owners are two steps, of one owner one", async (t, buildkit, end) => {
  const there = await setUp();
  const Dockerfile = `FROM ${BASE}\nRUN date +%s%N > /stamp-${end}\n`;
  const stampOf = async (cacheScope: string) => {
    const image = `local/${end}/stamp/${cacheScope}:1`;
    const { digest = "" } = await buildkit.build(imageBuild({ Dockerfile }, { cacheScope, image }));
    return runIn(there, digest, "cat", `/stamp-${end}`);
  };

  const alice = await stampOf("alice");
  const bob = await stampOf("bob");

  t.regex(alice, /^\d{19}\n$/);
  t.not(bob, alice);
  t.is(await stampOf("alice"), alice);
});

bothTest("a cache mount is its owner's", async (t, buildkit, end) => {
  const write = async (cacheScope: string, word: string) => {
    // Newer daemons count steps as equal that differ by the cache's id alone.
    const step = `cat /cache/words; echo ${word} >> /cache/words # ${end}`;
    const mount = `--mount=type=cache,id=${end},target=/cache`;
    const Dockerfile = `FROM ${BASE}\nRUN ${mount} touch /cache/words; ${step}\n`;
    const build = imageBuild({ Dockerfile }, { cacheScope });
    await buildkit.build(build);
    return printed(build.events);
  };

  await write("alice", "one");
  await write("bob", "two");

  t.is(await write("alice", "three"), "one\n");
});

bothTest("RUN has no network, and may not take the machine's", async (t, buildkit, end) => {
  const list = `sed -n 's/:.*//p' /proc/net/dev # ${end}`;
  const build = imageBuild({ Dockerfile: `FROM ${BASE}\nRUN ${list}\n` });
  const taking = imageBuild({ Dockerfile: `FROM ${BASE}\nRUN --network=host ${list}\n` });

  await buildkit.build(build);

  t.is(printed(build.events).trim(), "lo");
  await t.throwsAsync(buildkit.build(taking));
  t.is(printed(taking.events), "");
});

bothTest(
  "one stage of many is built, and a step that was built before is told as cached",
  async (t, buildkit, end) => {
    const Dockerfile = `FROM ${BASE} AS one\nRUN echo ${end} > /a\nFROM one AS two\nRUN exit 1\n`;
    await buildkit.build(imageBuild({ Dockerfile }, { target: "one" }));

    const again = imageBuild({ Dockerfile }, { target: "one" });
    await buildkit.build(again);

    t.true(
      again.events.some((event) => event.kind === "cached" && event.name.includes("RUN echo")),
    );
  },
);

bothTest("sixteen builds at once all end well", async (t, buildkit, end) => {
  const builds = Array.from({ length: 16 }, (_, index) => {
    const Dockerfile = `FROM ${BASE}\nRUN echo ${end} ${index}\n`;
    return imageBuild({ Dockerfile }, { image: `local/many/${end}/${index}:1` });
  });

  await Promise.all(builds.map((build) => buildkit.build(build)));

  t.deepEqual(
    builds.map(({ events }) => printed(events)),
    builds.map((_, index) => `${end} ${index}\n`),
  );
});

bothTest(
  "it says who works there, and what a daemon of that age cannot say is not made up",
  async (t, buildkit) => {
    const [worker] = await buildkit.listWorkers();

    t.regex(worker?.platforms[0] ?? "", /^linux\//);
    t.is(typeof worker?.pushes, "boolean");
    t.true(["string", "undefined"].includes(typeof (await buildkit.readVersion())));
  },
);

dockerTest("cache is counted, and collected without touching images", async (t) => {
  const there = await openTestBuildkit(await startDocker(t));
  const Dockerfile = `FROM ${BASE}\nRUN dd if=/dev/zero of=/zero bs=1M count=5\n`;
  const { digest = "" } = await there.buildkit.build(imageBuild({ Dockerfile }));
  const before = total(await there.buildkit.readDiskUsage());

  const freed = await there.buildkit.prune(0);

  t.true(before > 5_000_000);
  t.true(freed > 0);
  t.true(total(await there.buildkit.readDiskUsage()) < before);
  t.regex(await runIn(there, digest, "wc", "-c", "/zero"), /^5242880 /);
});

dockerTest(
  "a daemon that is killed during a build is a loss, not the build's failure",
  async (t) => {
    const docker = await startDocker(t);
    const there = await openTestBuildkit(docker);
    const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
    const onEvent = ({ kind }: BuildEvent) => (kind === "output" ? begin() : undefined);
    const Dockerfile = `FROM ${BASE}\nRUN echo begun; sleep 600\n`;

    const building = there.buildkit.build(imageBuild({ Dockerfile }, { onEvent }));
    building.catch(() => {});
    await begun;
    await docker.kill();

    t.like(await t.throwsAsync(building), { status: 503, code: "buildkit-lost" });
    t.like(await t.throwsAsync(there.buildkit.listWorkers()), {
      status: 503,
      code: "buildkit-unreachable",
    });
    await docker.start();
    await t.notThrowsAsync(
      there.buildkit.build(imageBuild({ Dockerfile: `FROM ${BASE}\nRUN true\n` })),
    );
  },
);

test("where nothing listens the address is named", async (t) => {
  const buildkit = openBuildkit(parseBuildkitAddress("unix:///tmp/none/buildkitd.sock"));

  const error = await t.throwsAsync(buildkit.listWorkers());

  t.like(error, { status: 503 });
  t.regex(error?.message ?? "", /^BuildKit cannot be reached at unix:\/\/\/tmp\/none\/.*ENOENT/);
});

function total(records: readonly { readonly sizeBytes: number }[]): number {
  return records.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
}

function processes(): string {
  return execFileSync("ps", ["-A", "-o", "args"], { encoding: "utf8" });
}
