import { once } from "node:events";
import { request } from "node:http";
import type { ExecutionContext, TestFn } from "ava";
import { findPort } from "../helpers/find-port.ts";
import {
  type PlatformOptions,
  type RunningPlatform,
  removeData,
  startPlatform,
} from "../helpers/platform.ts";
import { answering, makeRepository, removeRepository, stackOf } from "../helpers/repository.ts";
import { until } from "../helpers/until.ts";
import { startLoad } from "./load.ts";
import { openSystem } from "./open-system.ts";

/** Requests a second; what is counted is failures, so a machine that reaches fewer proves the same. */
const RATE = Number(process.env.DOWNTIME_RATE ?? "1000");
const VERSION = /^v\d+$/;

export type DowntimeOptions = {
  /** First word of each title. */
  readonly name: string;
  /** Where a platform is to run. */
  readonly openPlatform: () => Promise<Omit<PlatformOptions, "dataFolder">>;
};

/** That deploys fail nobody's request, on one engine. */
export function testDowntime(test: TestFn, { name, openPlatform }: DowntimeOptions): void {
  const testOn = (title: string, run: (t: ExecutionContext) => Promise<void>) =>
    test.serial(`${name}: ${title}`, run);

  testOn(
    "not one request fails while versions are pushed, deployed, fail, go back and are scaled",
    async (t) => {
      t.timeout(400_000);
      const { platform, push, pushLive, system } = await setUp(
        t,
        await openPlatform(),
        (version) => ({
          "stack.yml": stackOf({ cart: { lang: "node24" } }),
          "cart/handler.js": answering(`v${version}`),
        }),
      );
      const load = startLoad({
        url: platform.url,
        path: "/function/alice-cart",
        rate: RATE,
        expect: VERSION,
      });

      for (let version = 2; version <= 10; version += 1) {
        await pushLive(version);
        if (version % 3 === 0) await system.redeploy("alice-cart", `${version}`);
        if (version % 2 === 0) await system.scale("alice-cart", version % 4 === 0 ? 1 : 3);
        if (version % 5 === 0) {
          const sick = await push(version, { "cart/handler.js": "throw new Error('sick');\n" });
          t.regex(sick.output, /sick/);
        }
      }
      const reached = Math.round(await load.stop());

      t.log(`${load.latencies.length} requests, ${reached} a second of ${RATE}, over 18 changes`);
      t.deepEqual(load.failures, []);
      t.is(load.answers.size, 10);
    },
  );

  testOn(
    "slow and streamed answers that span switches finish whole, from the version that began them",
    async (t) => {
      t.timeout(300_000);
      const { platform, pushLive } = await setUp(t, await openPlatform(), (version) => ({
        "stack.yml": stackOf({
          slow: { lang: "node24" },
          stream: { lang: "bash", extra: "    environment:\n      mode: streaming\n" },
        }),
        "slow/handler.js": `module.exports = async () => {
        await new Promise((resolve) => setTimeout(resolve, 2000));
        return "v${version}";
      };\n`,
        "stream/handler.sh": `#!/bin/bash\nfor i in $(seq 20); do echo "v${version} $i"; sleep 0.1; done\n`,
      }));
      const lines = (version: string) =>
        Array.from({ length: 20 }, (_, index) => `${version} ${index + 1}`).join("\n");
      const { url } = platform;
      const slow = startLoad({ url, rate: 5, path: "/function/alice-slow", expect: VERSION });
      // Each is a bash with a child of its own; on a busy machine they pile up to the replica's limits.
      const stream = startLoad({
        url,
        rate: 2,
        path: "/function/alice-stream",
        expect: /^v\d+ 1\n/,
      });

      for (let version = 2; version <= 5; version += 1) await pushLive(version);
      await until(() => slow.answers.has("v5"));
      await slow.stop();
      await stream.stop();

      t.deepEqual([...slow.failures, ...stream.failures], []);
      t.true(slow.answers.has("v1") && slow.answers.has("v5"));
      for (const text of stream.answers.keys()) t.is(text, lines(text.split(" ")[0] ?? ""));
    },
  );

  testOn(
    "an upgraded connection stays with its version until that one's write_timeout is over; the next one meets the new",
    async (t) => {
      t.timeout(180_000);
      const ports = [await findPort(), await findPort()];
      const { platform, pushLive } = await setUp(t, await openPlatform(), (version) => ({
        "stack.yml": stackOf({
          socket: {
            lang: "bash",
            extra: `    environment:\n      mode: http\n      upstream_url: http://127.0.0.1:${ports[version - 1]}\n      write_timeout: 10s\n`,
          },
        }),
        "socket/handler.sh": "#!/bin/bash\nexec node ./function/server.js\n",
        "socket/server.js": `const server = require("node:http").createServer((request, response) => response.end("v${version}"));
        server.on("upgrade", (request, socket) => {
          socket.write("HTTP/1.1 101 Switching Protocols\\r\\nConnection: Upgrade\\r\\nUpgrade: websocket\\r\\n\\r\\n");
          socket.on("data", (data) => socket.write("v${version} " + data));
          socket.on("error", () => {});
        });
        server.listen(${ports[version - 1]}, "127.0.0.1");\n`,
      }));
      const old = await upgrade(platform, "alice-socket");
      const before = await old.echo("one");

      await pushLive(2);
      const during = await old.echo("two");
      const fresh = await upgrade(platform, "alice-socket");
      const answers = [before, during, await fresh.echo("three")];
      const closedAt = await old.closed.then(() => Date.now());
      const publishedAt = platform.log.findLast(({ event }) => event === "release-published")?.time;

      t.deepEqual(answers, ["v1 one", "v1 two", "v2 three"]);
      // Not longer than it has to: that is the machine's speed, too.
      t.true(closedAt - Date.parse(String(publishedAt)) > 9_500);
    },
  );
}

async function setUp(
  t: ExecutionContext,
  options: Omit<PlatformOptions, "dataFolder">,
  files: (version: number) => Record<string, string>,
) {
  const platform = await startPlatform(options);
  const repository = await makeRepository();
  t.teardown(async () => {
    await platform.stop();
    await removeRepository(repository);
    await removeData(platform.dataFolder);
  });
  const { url } = JSON.parse(await platform.ofc("token", "alice", "--json")) as { url: string };
  const push = async (version: number, more: Record<string, string> = {}) => {
    await repository.commit({ ...files(version), ...more });
    return repository.push(`${url}/shop.git`);
  };
  const pushLive = async (version: number) => {
    const { output } = await push(version);
    t.regex(output, /live in/, output);
  };
  await pushLive(1);
  return { platform, push, pushLive, system: await openSystem(platform) };
}

async function upgrade({ url }: RunningPlatform, service: string) {
  const call = request(new URL(`function/${service}`, url), {
    headers: {
      connection: "Upgrade",
      upgrade: "websocket",
      "sec-websocket-version": "13",
      "sec-websocket-key": Buffer.from("sixteen bytes...").toString("base64"),
    },
  }).end();
  const [, socket] = await once(call, "upgrade");
  socket.on("error", () => undefined);
  return {
    closed: once(socket, "close"),
    async echo(text: string): Promise<string> {
      socket.write(text);
      const [data] = await once(socket, "data");
      return String(data);
    },
  };
}
