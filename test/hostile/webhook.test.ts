import { createHmac, randomUUID } from "node:crypto";
import { mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { start, stop } from "#sdk/listen.ts";
import { type RunningPlatform, removeData, startPlatform } from "../helpers/platform.ts";
import { commitSha, type PushBody, pushBody } from "../helpers/push-delivery.ts";
import { STRANGERS } from "./set-up.ts";

const SECRET = "the webhook secret of the App";
const LIMIT_BYTES = 25 * 1024 * 1024;

type Build = { readonly id: string; readonly sha: string; readonly state: string };

/**
 * A platform whose list of customers is at a server that counts who asks: nobody does before a delivery is
 * verified. GitHub's API is not there, so that what was accepted stays open.
 */
async function setUp(t: ExecutionContext, secret = SECRET) {
  const asked: string[] = [];
  const customers = createServer((request, response) => {
    asked.push(request.url ?? "");
    response.end("alice\n");
  });
  const origin = await start(customers, { port: 0, hostname: "127.0.0.1" });
  const dataFolder = await mkdtemp(join(tmpdir(), "ofc-test-"));
  await mkdir(join(dataFolder, "secrets"), { recursive: true });
  await writeFile(join(dataFolder, "secrets/github-webhook-secret"), secret);
  t.teardown(async () => {
    await stop(customers, 0);
    await removeData(dataFolder);
  });
  const env = {
    ...STRANGERS,
    customers_url: `${origin}/customers`,
    github_api_url: "http://127.0.0.1:9/",
    read_timeout: "2s",
  };
  const up = () => startPlatform({ dataFolder, env });
  return { up, asked };
}

async function startUp(t: ExecutionContext) {
  const { up, asked } = await setUp(t);
  let platform = await up();
  t.teardown(() => platform.stop());
  return {
    asked,
    get platform() {
      return platform;
    },
    async crash() {
      await platform.kill();
      platform = await up();
    },
  };
}

function sign(body: string | Buffer, secret = SECRET, algorithm = "sha256"): string {
  return `${algorithm}=${createHmac(algorithm, secret).update(body).digest("hex")}`;
}

function send(
  platform: RunningPlatform,
  body: string,
  {
    id = randomUUID(),
    signature = sign(body),
    more = {},
  }: {
    readonly id?: string;
    /** `null` leaves the header out. */
    readonly signature?: string | null;
    readonly more?: Readonly<Record<string, string>>;
  } = {},
): Promise<Response> {
  return fetch(new URL("github-event", platform.url), {
    method: "POST",
    headers: {
      "content-type": "application/json",
      "x-github-event": "push",
      "x-github-delivery": id,
      ...(signature === null ? {} : { "x-hub-signature-256": signature }),
      ...more,
    },
    body,
  });
}

const bodyOf = (push: PushBody = {}) => JSON.stringify(pushBody(push));

async function listBuilds(platform: RunningPlatform): Promise<readonly Build[]> {
  return JSON.parse(await platform.ofc("builds", "--json")) as Build[];
}

test.serial(
  "whoever cannot sign is told 401 in the same words; nothing is recorded and nobody asked",
  async (t) => {
    const house = await startUp(t);
    const body = bodyOf();
    const good = sign(body);
    const forged = [
      null,
      "",
      good.slice(0, -2),
      `${good}00`,
      good.toUpperCase(),
      good.replace("sha256", "sha512"),
      `sha256=${"g".repeat(64)}`,
      sign(body, ""),
      sign(body, "another secret"),
      sign(`${body} `),
    ];

    const answers: Response[] = [];
    for (const signature of forged)
      answers.push(await send(house.platform, body, { signature, id: "forged" }));
    const more = { "x-hub-signature": sign(body, SECRET, "sha1") };
    answers.push(await send(house.platform, body, { signature: null, more }));

    t.deepEqual([...new Set(answers.map(({ status }) => status))], [401]);
    t.deepEqual(JSON.parse(await house.platform.ofc("deliveries", "--json")), []);
    t.deepEqual(house.asked, []);
    t.is((await send(house.platform, body, { id: "forged" })).status, 202);
    t.deepEqual(house.asked, ["/customers"]);
  },
);

test.serial("a webhook secret of blanks stops the start and names the file", async (t) => {
  const { up } = await setUp(t, " \n");

  const error = await t.throwsAsync(up());

  t.regex(error?.message ?? "", /Secret github-webhook-secret is empty/);
});

test.serial(
  "an empty webhook secret is replaced by a random one; nobody signs with nothing",
  async (t) => {
    const { up } = await setUp(t, "");
    const platform = await up();
    t.teardown(() => platform.stop());
    const body = bodyOf();

    const response = await send(platform, body, { signature: sign(body, "") });

    t.is(response.status, 401);
  },
);

test.serial("one delivery sent at once, again and after a crash makes one build", async (t) => {
  const house = await startUp(t);
  const again = () => send(house.platform, bodyOf(), { id: "one" });

  const answers = await Promise.all([again(), again(), again()]);
  await house.crash();
  answers.push(await again());

  t.deepEqual([...new Set(answers.map(({ status }) => status))], [202]);
  t.is((await listBuilds(house.platform)).length, 1);
});

test.serial("the same commit under another delivery id is not built twice", async (t) => {
  const house = await startUp(t);

  await send(house.platform, bodyOf());
  await send(house.platform, bodyOf());

  const open = (await listBuilds(house.platform)).filter(({ state }) => state !== "superseded");
  t.deepEqual(
    open.map(({ sha }) => sha),
    [commitSha(1)],
  );
});

test.serial(
  "refs and commits that are none are refused by name, deletions and tags build nothing",
  async (t) => {
    const house = await startUp(t);
    const answers: [number, string][] = [];
    for (const push of [
      { ref: "refs/heads/--upload-pack=x;id" },
      { ref: "refs/heads/a\r" },
      { ref: "refs/heads/a@{1}" },
      { ref: "refs/heads/a.lock" },
      { after: "HEAD" },
      { after: "0".repeat(40), deleted: true },
      { ref: "refs/tags/v1" },
      { ref: "main" },
    ]) {
      const response = await send(house.platform, bodyOf(push));
      const { reason } = (await response.json()) as { reason: string };
      answers.push([response.status, reason]);
    }

    t.deepEqual(
      answers.map(([status]) => status),
      [200, 400, 400, 400, 400, 200, 200, 200],
    );
    t.deepEqual(
      answers.slice(1, 5).map(([, reason]) => / (ref|after): /.exec(reason)?.[1]),
      ["ref", "ref", "ref", "after"],
    );
    t.regex(answers[0]?.[1] ?? "", /skipping build/);
    t.deepEqual(await listBuilds(house.platform), []);
  },
);

test.serial(
  "bodies that are too long, too slow or never end are let go, and the next one is answered",
  async (t) => {
    const house = await startUp(t);
    const long = `${bodyOf()}${" ".repeat(LIMIT_BYTES)}`;

    const announced = await send(house.platform, long);
    const streamed = await sendRaw(house.platform, endlessChunks);
    const dripped = await sendRaw(house.platform, drip);
    const silent = await sendRaw(house.platform, (socket) => {
      socket.write(`${HEAD}Content-Length: 100\r\n\r\n{`);
      return () => {};
    });

    t.deepEqual([announced.status, streamed, dripped, silent], [413, 413, 408, 408]);
    t.is((await send(house.platform, bodyOf())).status, 202);
  },
);

const HEAD = "POST /github-event HTTP/1.1\r\nHost: localhost\r\nX-GitHub-Event: push\r\n";

type Write = (socket: ReturnType<typeof connect>) => () => void;

/** Write what no HTTP client would, and read the status of the answer. */
async function sendRaw(platform: RunningPlatform, write: Write): Promise<number> {
  const socket = connect(Number(new URL(platform.url).port), "127.0.0.1");
  const stopWriting = write(socket);
  try {
    return await new Promise<number>((resolve, reject) => {
      socket.once("data", (data) => resolve(Number(data.toString().split(" ")[1])));
      socket.once("close", () => reject(new Error("closed without an answer")));
      // An answer may come while we still write; what is read of it counts.
      socket.on("error", () => {});
    });
  } finally {
    stopWriting();
    socket.destroy();
  }
}

/** A body without a length that goes on for ever. */
const endlessChunks: Write = (socket) => {
  const chunk = `40000\r\n${" ".repeat(0x40000)}\r\n`;
  let going = true;
  const write = () => {
    while (going && socket.write(chunk));
  };
  socket.write(`${HEAD}Transfer-Encoding: chunked\r\n\r\n`);
  socket.on("drain", write);
  write();
  return () => {
    going = false;
  };
};

/** Never silent for long enough to count as silent. */
const drip: Write = (socket) => {
  socket.write(`${HEAD}Content-Length: 1000\r\n\r\n{`);
  const timer = setInterval(() => socket.write(" "), 100);
  return () => clearInterval(timer);
};
