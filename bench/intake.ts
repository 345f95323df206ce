import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";
import { Pool } from "undici";
import { readSecret } from "#sdk/secrets.ts";
import { signWebhook } from "#sdk/webhook-signature.ts";
import { answering, stackOf } from "../test/helpers/repository.ts";
import { type Benchmark, type Measure, runAlone } from "./benchmark.ts";
import { push } from "./push.ts";
import { quantile } from "./statistics.ts";
import { type Place, withPlatform } from "./with-platform.ts";

const PER_SECOND = 100;
/** Before anything is counted: code gets warm, connections open. */
const WARM_UP_SECONDS = 2;

export const intake: Benchmark = {
  name: "intake",
  about:
    "100 signed deliveries a second to /github-event for 30 s: every second one a push that is accepted as a build, the others of a branch that is not built. The builds are of one branch's real head: nearly all are superseded within 20 ms, and those that get to their turn fetch and plan, but find everything built. From sending to the whole answer; then SIGKILL, and every answered delivery is looked for in the ledger.",
  rounds: 10,
  async run({ rounds, quick, say }) {
    const answers: Answer[] = [];
    for (let round = 0; round < rounds; round++) {
      answers.push(...(await withPlatform({}, (place) => deliverAndKill(place, quick ? 3 : 30))));
      say(`round ${round + 1}/${rounds}: ${answers.length} answered`);
    }
    return report(answers);
  },
};

type Delivery = { readonly id: string; readonly body: Buffer; readonly wanted: 200 | 202 };
type Answer = { readonly wanted: 200 | 202; readonly ms: number; readonly recorded: boolean };

async function deliverAndKill(place: Place, seconds: number): Promise<Answer[]> {
  const { platform } = place;
  const payload = await recordPayload(place);
  const secret = await readSecret(join(platform.dataFolder, "secrets"), "forge-webhook-secret");
  const count = (WARM_UP_SECONDS + seconds) * PER_SECOND;
  const deliveries = Array.from({ length: count }, (_, at) => make(payload, at));

  const pool = new Pool(new URL(platform.url).origin, { connections: 64 });
  const times = await Promise.all(
    deliveries.map(async (delivery, at) => {
      await sleep((at * 1_000) / PER_SECOND);
      return send(pool, delivery, secret);
    }),
  );
  await platform.kill();
  await pool.destroy();
  const kept = readKeys(platform.dataFolder);
  const answers = deliveries.map(({ id, wanted }, at) => ({
    wanted,
    ms: times[at] ?? 0,
    recorded: kept.has(`forge:${id}`),
  }));
  return answers.slice(WARM_UP_SECONDS * PER_SECOND);
}

/** The very webhook that the forge sent for a real push. */
async function recordPayload({ platform, repository }: Place): Promise<Payload> {
  const work = await repository();
  await work.commit({
    "stack.yml": stackOf({ fn: { lang: "node24" } }),
    "fn/handler.js": answering("one"),
  });
  await push(work, await platform.pushUrl("alice", "bench"));
  const forge = new DatabaseSync(join(platform.dataFolder, "git/forge.db"), { readOnly: true });
  const row = forge.prepare("SELECT payload FROM deliveries WHERE event = 'push'").get();
  forge.close();
  if (typeof row?.payload !== "string") throw new Error("The forge has no record of its webhook.");
  return JSON.parse(row.payload) as Payload;
}

type Payload = { readonly ref: string };

function make(payload: Payload, at: number): Delivery {
  const isBuild = at % 2 === 0;
  const ref = isBuild ? payload.ref : `refs/heads/topic-${at}`;
  return {
    id: randomUUID(),
    body: Buffer.from(JSON.stringify({ ...payload, ref })),
    wanted: isBuild ? 202 : 200,
  };
}

/** Milliseconds from sending to the whole answer. */
async function send(pool: Pool, { id, body, wanted }: Delivery, secret: string): Promise<number> {
  const headers = {
    "content-type": "application/json",
    "x-github-event": "push",
    "x-github-delivery": id,
    "x-hub-signature-256": signWebhook(body, secret),
  };
  const started = performance.now();
  const answer = await pool.request({ path: "/github-event", method: "POST", headers, body });
  const text = await answer.body.text();
  if (answer.statusCode !== wanted)
    throw new Error(`${answer.statusCode} instead of ${wanted}: ${text}`);
  return performance.now() - started;
}

function readKeys(dataFolder: string): ReadonlySet<unknown> {
  const ledger = new DatabaseSync(join(dataFolder, "ledger.db"), { readOnly: true });
  const rows = ledger.prepare("SELECT key FROM deliveries").all();
  ledger.close();
  return new Set(rows.map(({ key }) => key));
}

function report(answers: readonly Answer[]): Measure[] {
  const latency = (what: string, wanted: number, share: number): Measure => {
    const times = answers.filter((answer) => answer.wanted === wanted).map(({ ms }) => ms);
    return { what, value: quantile(times, share), unit: "ms", samples: times.length };
  };
  const goal = { atMost: 50 };
  const lost = answers.filter(({ recorded }) => !recorded).length;
  return [
    latency("accepted as a build, answered 202, p50", 202, 0.5),
    { ...latency("accepted as a build, answered 202, p99", 202, 0.99), goal },
    latency("branch not built, answered 200, p50", 200, 0.5),
    { ...latency("branch not built, answered 200, p99", 200, 0.99), goal },
    {
      what: "answered, but not in the ledger after SIGKILL",
      value: lost,
      unit: "count",
      samples: answers.length,
      goal: { atMost: 0 },
    },
  ];
}

if (import.meta.main) await runAlone(intake);
