import type { ExecutionContext } from "ava";
import {
  buildOf,
  setUp as openLedgerFor,
  plannedFunction,
  planOf,
  push,
} from "#ledger/test-support/set-up.ts";
import type { Build } from "#ledger/types/build.ts";
import type { Ledger } from "#ledger/types/ledger.ts";
import type { Plan, PlannedFunction } from "#ledger/types/plan.ts";
import type { GatewayClient } from "#sdk/gateway-client.ts";
import { createHandler as createBuildshiprun } from "../../functions/buildshiprun/handler.ts";
import { createHandler as createGitTar, type Tools } from "../../functions/git-tar/handler.ts";
import type { Planned, Source } from "../../functions/git-tar/source.ts";
import { type PlatformServer, startPlatformServer } from "./platform-server.ts";

/** A repository at its source, as the test says it is. */
export type TestSource = Source & {
  readonly heads: Map<string, string>;
  readonly plans: Map<string, Planned>;
  /** What was asked for, in order. */
  readonly asked: string[];
  /** Called before a question is answered; what it throws is the answer. */
  onAsk: (question: string) => void | Promise<void>;
};

/** A function as it is planned when its files are at `version`. */
export function functionAt(name: string, version: string): PlannedFunction {
  return { ...plannedFunction(name), key: `v1:${name} ${version}`, image: `${name}:${version}` };
}

/** git-tar and buildshiprun over HTTP, with a ledger, a source, a builder and an engine. */
export async function openPipeline(t: ExecutionContext, changed: Partial<Tools> = {}) {
  const platform = await startPlatformServer(t);
  return pipelineOn(t, platform, changed);
}

/** The same with a ledger and a source of its own on a platform that is there. */
export function pipelineOn(
  t: ExecutionContext,
  platform: PlatformServer,
  changed: Partial<Tools> = {},
) {
  const place = openLedgerFor(t);
  const { ledger } = place;
  const source = createTestSource();
  start(ledger, platform.gateway);

  return { ...place, ledger, platform, source, start, accept, run, runQueued, told, statuses };

  /** Both functions anew, as in a process of their own. */
  function start(on: Ledger, gateway: GatewayClient): void {
    const { functions, url, key } = platform;
    functions["git-tar"] = createGitTar({
      ledger: on,
      gateway,
      openSource: async () => source,
      urls: { gateway: "http://gateway/", pretty: "", dashboard: "" },
      concurrency: 2,
      worker: "worker",
      leaseMs: 30_000,
      ...changed,
    });
    const tools = { ledger: on, gateway, builderUrl: url, fetch, key, now: Date.now };
    functions.buildshiprun = createBuildshiprun(tools);
  }

  /** A commit at the head of its branch, and its push. */
  function accept(sha: string, plan: Plan | readonly PlannedFunction[]): Build {
    const of = "functions" in plan ? plan : planOf(...plan);
    source.plans.set(sha, { plan: of, notes: [] });
    source.heads.set("main", sha);
    return buildOf(ledger.acceptPush(push({ sha })));
  }

  async function run({ id }: Pick<Build, "id">) {
    const job = JSON.stringify({ v: 1, buildId: id, step: "run" });
    const response = await platform.gateway.call("git-tar", job);
    const body = (await response.json()) as Record<string, unknown>;
    return { status: response.status, body };
  }

  /** Run what git-tar has queued for itself, until there is nothing more; ids in order. */
  async function runQueued(): Promise<string[]> {
    const ran: string[] = [];
    for (const { name, body } of platform.jobs) {
      if (name !== "git-tar") continue;
      const { buildId } = body as { buildId: string };
      ran.push(buildId);
      await run({ id: buildId });
    }
    return ran;
  }

  /** What was told about a build: `cart building`. */
  function told({ id }: Build): string[] {
    return ledger.listEvents(id).map(({ event }) => {
      if (event.type === "function") return `${event.name} ${event.step}`;
      if (event.type === "log") return `${event.name}: ${event.text}`;
      return event.type === "ended" ? `ended ${event.state}` : event.type;
    });
  }

  /** What a commit shows: `failure: …` by context. */
  function statuses({ repositoryId, sha }: Build): Record<string, string> {
    const wanted = ledger.listStatuses(repositoryId, sha);
    return Object.fromEntries(
      wanted.map(({ context, state, description }) => [context, `${state}: ${description}`]),
    );
  }
}

function createTestSource(): TestSource {
  const ask = async (question: string) => {
    source.asked.push(question);
    await source.onAsk(question);
  };
  const source: TestSource = {
    heads: new Map(),
    plans: new Map(),
    asked: [],
    onAsk: () => {},
    async readHead(branch) {
      await ask(`head ${branch}`);
      return source.heads.get(branch);
    },
    fetchCommit: (sha) => ask(`commit ${sha.slice(0, 7)}`),
    async plan({ sha }) {
      await ask(`plan ${sha.slice(0, 7)}`);
      const planned = source.plans.get(sha);
      if (planned === undefined) throw new Error(`The test has no plan of ${sha}.`);
      return planned;
    },
    async packContext(_, { name, key }) {
      await ask(`context ${name}`);
      return ReadableStream.from([Buffer.from(key)]);
    },
  };
  return source;
}
