import { describe } from "#sdk/errors.ts";
import type { Log } from "#sdk/log.ts";
import { FUNCTION_NAMESPACE } from "#sdk/names.ts";
import { tryJson } from "#sdk/try-json.ts";
import { answerJson, answerText } from "./answer.ts";
import type { Call } from "./call.ts";
import type { EndpointTable } from "./endpoint-table.ts";
import { isObject } from "./is-object.ts";
import { ask } from "./pool.ts";
import type { Room } from "./rooms.ts";

/** Sizes a list of functions may reach before it is refused rather than kept in memory. */
const LIST_LIMIT_BYTES = 64 * 1_024 ** 2;
const ARCHITECTURES: Readonly<Record<string, string>> = { x64: "amd64", arm64: "arm64" };

export type SystemTools = {
  readonly provider: Room;
  /** `Authorization` for the provider. */
  readonly authorization: string;
  readonly table: EndpointTable;
  readonly version: { readonly release: string; readonly sha: string };
  readonly log: Log;
};

/** GET `/system/functions`: the provider's list with this gateway's invocation counts. */
export async function listFunctions(call: Call, tools: SystemTools): Promise<void> {
  const answer = await read(tools, call.path).catch((error: unknown) => unreachable(error, tools));
  if (answer.status !== 200) {
    answerText(call.response, answer.status, answer.text);
    return;
  }
  const list = parseFunctions(tryJson(answer.text));
  if (list === undefined) {
    answerText(call.response, 500, "Unable to parse list of functions from provider\n");
    return;
  }
  const counted = list.map((one) => ({
    ...one,
    invocationCount: tools.table.find(`${one.name}.${one.namespace}`)?.counters.total() ?? 0,
  }));
  answerJson(call.response, 200, counted);
}

/** GET `/system/info`: always 200, `provider` null when it cannot be asked (section 12). */
export async function tellInfo(call: Call, tools: SystemTools): Promise<void> {
  const answer = await read(tools, "/system/info").catch((error: unknown) =>
    unreachable(error, tools),
  );
  const provider = tryJson(answer.text);
  answerJson(call.response, 200, {
    provider: answer.status === 200 && isObject(provider) ? provider : null,
    version: { commit_message: "See GitHub for latest changes", ...tools.version },
    arch: ARCHITECTURES[process.arch] ?? process.arch,
  });
}

type Answer = { readonly status: number; readonly text: string };

async function read({ provider, authorization }: SystemTools, path: string): Promise<Answer> {
  const { statusCode, body } = await ask(provider.pool, {
    method: "GET",
    path,
    headers: { authorization },
    headersTimeout: 30_000,
    bodyTimeout: 30_000,
  });
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body) {
    const bytes = Buffer.from(chunk);
    size += bytes.length;
    if (size > LIST_LIMIT_BYTES)
      throw new Error(`The provider's answer is over ${LIST_LIMIT_BYTES} bytes`);
    chunks.push(bytes);
  }
  return { status: statusCode, text: Buffer.concat(chunks).toString("utf8") };
}

function unreachable(error: unknown, { log }: SystemTools): Answer {
  log.error("room-unreachable", { to: "provider", error: describe(error) });
  return { status: 502, text: "The provider cannot be reached; try again in a moment.\n" };
}

/** A function as the provider lists it, with whatever else it says. */
type Listed = Readonly<Record<string, unknown>> & {
  readonly name: string;
  readonly namespace: string;
};

/** `undefined` when it is not a list of functions. */
function parseFunctions(value: unknown): readonly Listed[] | undefined {
  if (!Array.isArray(value)) return undefined;
  const listed = value.flatMap((one: unknown) => {
    if (!isObject(one)) return [];
    const { name, namespace = FUNCTION_NAMESPACE } = one;
    return typeof name === "string" && typeof namespace === "string"
      ? [{ ...one, name, namespace }]
      : [];
  });
  return listed.length === value.length ? listed : undefined;
}
