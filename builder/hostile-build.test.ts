import { execFileSync } from "node:child_process";
import { createServer, type Socket } from "node:net";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import test, { type ExecutionContext } from "ava";
import { stripControls } from "#sdk/strip-controls.ts";
import { dockerMissing, startDocker } from "../test/helpers/start-docker.ts";
import { until } from "../test/helpers/until.ts";
import { BASE, openTestBuildkit, runIn, shareBuildkit } from "./buildkit/test-buildkit.ts";
import { logOf, packImage, startImageBuilder } from "./image/test-image-builder.ts";
import { followLines, parseLines, signedHeaders, signedRequest } from "./test-builder.ts";
import { CONFIG, packMany } from "./test-tars.ts";

const { dockerTest, setUp } = shareBuildkit(test, "hostile builds are not tested", {
  missing: dockerMissing,
  start: startDocker,
});

type Followed = { leave(): Promise<unknown> };
type Send = (
  body: Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array>,
) => Promise<ReturnType<typeof followLines>>;
type Step = (command: string) => Promise<Uint8Array<ArrayBuffer>>;

const MIB = 1024 * 1024;

for (const [where, first] of [
  ["behind the settings", [...CONFIG, { name: "context/Dockerfile", text: `FROM ${BASE}\n` }]],
  ["before anything that is needed", []],
] as const)
  dockerTest(`of a million entries ${where} no more are read than may be`, async (t) => {
    const there = await setUp();
    const { answer, leftWork } = await startImageBuilder(t, there.address);
    let made = 0;
    const entries = packMany(first, 1_000_000, (count) => {
      made = count;
    });

    const response = await answer(requestOf(ReadableStream.from(entries)));

    const last = parseLines(await response.text()).at(-1);
    t.regex(last?.error ?? "", /is one entry too many; at most 20000 fit/);
    t.true(made < 100_000, `${made} were made`);
    t.deepEqual(await leftWork(), []);
  });

for (const [what, command] of [
  ["a gigabyte of lines", "yes 0123456789abcde | head -c 1000000000"],
  ["a line of 100 MB", "head -c 100000000 /dev/zero | tr '\\0' x"],
] as const)
  dockerTest(`a step that prints ${what} fills neither memory nor log, and ends`, async (t) => {
    const there = await setUp();
    const { build } = await startImageBuilder(t, there.address, {
      settings: { maxLogBytes: MIB },
    });
    const before = process.memoryUsage().rss;
    let most = before;
    const sampling = setInterval(() => {
      most = Math.max(most, process.memoryUsage().rss);
    }, 20);
    t.teardown(() => clearInterval(sampling));
    const Dockerfile = `FROM ${BASE}\nRUN ${command}; echo over > /over\n`;

    const lines = await build(await packImage({ Dockerfile }, { name: "loud" }));

    const last = lines.at(-1);
    t.is(last?.status, "success", last?.error);
    t.is(await runIn(there, last?.digest ?? "", "cat", "/over"), "over\n");
    t.true(JSON.stringify(lines).length < 2 * MIB);
    t.true(lines.every((line) => JSON.stringify(line).length < 64 * 1024));
    t.true(most - before < 128 * MIB, `${Math.round((most - before) / MIB)} MiB more`);
  });

dockerTest("what a step prints steers no terminal, and HTML stays text", async (t) => {
  const there = await setUp();
  const { build } = await startImageBuilder(t, there.address);
  const hostile = String.raw`\033[2J\033]0;owned\007\033]52;c;ZXZpbA==\007<script>x</script>\033[31m end\n`;
  const Dockerfile = `FROM ${BASE}\nRUN printf '${hostile}'\n`;

  const lines = await build(await packImage({ Dockerfile }, { name: "painter" }));

  t.is(lines.at(-1)?.status, "success", lines.at(-1)?.error);
  t.regex(logOf(lines), /\n<script>x<\/script> end(\n|$)/);
  t.is(stripControls(logOf(lines)), logOf(lines));
});

/** Where a caller goes away: what is sent, and when it is there. */
const STAGES: Readonly<Record<string, (send: Send, step: Step) => Promise<Followed>>> = {
  "while it waits for its turn": async (send, step) => {
    const first = await send(await step("echo begun; sleep 7171"));
    await first.readTo('"begun"');
    const second = await send(await step("echo second"));
    await second.readTo("next in line");
    return { leave: () => Promise.all([second.leave(), first.leave()]) };
  },
  "while its context comes": async (send, step) => {
    const tar = await step("echo never");
    const half = new ReadableStream<Uint8Array>({
      start: (controller) => controller.enqueue(tar.subarray(0, -2_000)),
    });
    return send(half);
  },
  "while a step runs": async (send, step) => {
    const lines = await send(await step("echo begun; sleep 7171"));
    await lines.readTo('"begun"');
    return lines;
  },
  "while it is pushed": async (send, step) => {
    const lines = await send(await step("date +%N > /pushed"));
    await lines.readTo('"pushing ');
    return lines;
  },
  "when it is over": async (send, step) => {
    const lines = await send(await step("sleep 0"));
    await lines.readTo('"success"');
    return lines;
  },
};
for (const [stage, begin] of Object.entries(STAGES))
  dockerTest(`a caller who goes away ${stage}, twice, leaves nothing behind`, async (t) => {
    const there = await setUp();
    const push = stage.includes("pushed");
    const { answer, build, leftWork } = await startImageBuilder(t, there.address, {
      settings: { concurrency: 1 },
      images: push ? { pushPrefix: await startSilent(t) } : {},
    });
    const send: Send = async (body) => followLines(await answer(requestOf(body)));
    const step: Step = (command) => packImage({ Dockerfile: `FROM ${BASE}\nRUN ${command}\n` });

    const one = await begin(send, step);
    await one.leave();
    await one.leave();

    await until(async () => (await leftWork()).length === 0);
    await until(() => !processes().includes("sleep 7171"));
    await until(async () => (await there.buildkit.readDiskUsage()).every(({ inUse }) => !inUse));
    const next = await build(
      await step("true"),
      push ? { signal: AbortSignal.timeout(1_000) } : {},
    );
    t.is(next.at(-1)?.status, push ? "failed" : "success", next.at(-1)?.error);
  });

dockerTest("a daemon that is killed during a build and started again builds it", async (t) => {
  const docker = await startDocker(t);
  const { address } = await openTestBuildkit(docker);
  const { answer, build, leftWork } = await startImageBuilder(t, address);
  const step = (command: string) => packImage({ Dockerfile: `FROM ${BASE}\nRUN ${command}\n` });
  const lines = followLines(await answer(signedRequest(await step("echo begun; sleep 600"))));

  await lines.readTo('"begun"');
  await docker.kill();
  const killed = parseLines(await lines.readTo("no such line")).at(-1);
  await docker.start();
  const again = (await build(await step("echo begun"))).at(-1);

  t.like(killed, { status: "failed", retryable: true });
  t.regex(killed?.error ?? "", /^BuildKit was lost: /);
  t.is(again?.status, "success", again?.error);
  t.deepEqual(await leftWork(), []);
});

for (const right of ["--security=insecure", "--network=host"])
  dockerTest(`a step that asks for ${right} is not run`, async (t) => {
    const there = await setUp();
    const { build } = await startImageBuilder(t, there.address);

    const lines = await build(
      await packImage({ Dockerfile: `FROM ${BASE}\nRUN ${right} echo begun\n` }),
    );

    t.is(lines.at(-1)?.status, "failed");
    t.notRegex(logOf(lines), /^begun$/m);
  });

dockerTest("a step sees no login of a registry, no socket and no daemon's file", async (t) => {
  const there = await setUp();
  const login = { username: "ofc", password: "canary-login" };
  const { build } = await startImageBuilder(t, there.address, { findLogin: () => login });
  const look =
    "env; cat /proc/self/environ /proc/mounts; find / -xdev -name '*.sock' -o -name 'config*.json'";
  const Dockerfile = `FROM ${BASE}\nRUN echo begun; ${look}; ls -A /run; exit 1\n`;

  const lines = await build(await packImage({ Dockerfile }));

  const log = logOf(lines);
  t.regex(log, /\nbegun\n.*PATH=.* \/proc /s);
  const from = log.slice(log.indexOf("\nbegun\n"));
  t.notRegex(from, /canary|\.sock|config\S*\.json|docker\.pid/);
});

dockerTest(
  "a caller who leaves is heard of when nothing but the build knows the request",
  async (t) => {
    const there = await setUp();
    const { answer } = await startImageBuilder(t, there.address);
    const leaving = new AbortController();
    const tar = await packImage({ Dockerfile: `FROM ${BASE}\nRUN echo begun; sleep 7373\n` });
    const lines = followLines(await answer(signedRequest(tar, { signal: leaving.signal })));
    await lines.readTo('"begun"');

    setFlagsFromString("--expose-gc");
    runInNewContext("gc")();
    leaving.abort();

    t.regex(await lines.readTo('"failed"'), /The caller went away/);
  },
);

dockerTest("builds that end, whatever way, leave no connection to the daemon", async (t) => {
  const there = await setUp();
  const { build } = await startImageBuilder(t, there.address);
  const open = () => process.getActiveResourcesInfo().filter((one) => /Pipe|Socket/.test(one));
  const send = async (step: string, signal?: AbortSignal) =>
    build(await packImage({ Dockerfile: `FROM ${BASE}\nRUN ${step}\n` }), signal ? { signal } : {});
  await send("true");
  const before = open().length;

  await Promise.all([
    send("true"),
    send("echo another"),
    send("exit 1"),
    send("sleep 7272", AbortSignal.timeout(500)),
  ]);

  await until(() => open().length <= before);
  t.true(open().length <= before);
});

/** A signed build whose body may come while it is read. */
function requestOf(body: Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array>): Request {
  return new Request("http://builder/build", {
    method: "POST",
    headers: signedHeaders(),
    body,
    duplex: "half",
  });
}

function processes(): string {
  return execFileSync("ps", ["-A", "-o", "args"], { encoding: "utf8" });
}

/** A registry that takes connections and never says a word. */
async function startSilent(t: ExecutionContext): Promise<string> {
  const open = new Set<Socket>();
  const server = createServer((socket) => open.add(socket.on("error", () => {})));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.teardown(() => {
    server.close();
    for (const socket of open) socket.destroy();
  });
  const at = server.address();
  return `127.0.0.1:${typeof at === "object" && at !== null ? at.port : 0}`;
}
