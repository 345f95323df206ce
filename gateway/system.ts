import { z } from "zod";
import { describe } from "#sdk/errors.ts";
import type { Log } from "#sdk/log.ts";
import { FUNCTION_NAMESPACE } from "#sdk/names.ts";
import { answerJson, answerText } from "./answer.ts";
import type { Call } from "./call.ts";
import type { EndpointTable } from "./endpoint-table.ts";
import type { Room } from "./rooms.ts";

/** Sizes a list of functions may reach before it is refused rather than kept in memory. */
const LIST_LIMIT_BYTES = 64 * 1_024 ** 2;
const ARCHITECTURES: Readonly<Record<string, string>> = { x64: "amd64", arm64: "arm64" };

const functionList = z.array(
  z.looseObject({ name: z.string(), namespace: z.string().default(FUNCTION_NAMESPACE) }),
);
const providerInfo = z.looseObject({});

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
  const answer = await ask(tools, call.path).catch((error: unknown) => unreachable(error, tools));
  if (answer.status !== 200) {
    answerText(call.response, answer.status, answer.text);
    return;
  }
  const list = functionList.safeParse(parseJson(answer.text));
  if (!list.success) {
    answerText(call.response, 500, "Unable to parse list of functions from provider\n");
    return;
  }
  const counted = list.data.map((one) => ({
    ...one,
    invocationCount: tools.table.find(`${one.name}.${one.namespace}`)?.counters.total() ?? 0,
  }));
  answerJson(call.response, 200, counted);
}

/** GET `/system/info`: always 200, `provider` null when it cannot be asked (section 12). */
export async function tellInfo(call: Call, tools: SystemTools): Promise<void> {
  const answer = await ask(tools, "/system/info").catch((error: unknown) =>
    unreachable(error, tools),
  );
  const provider = providerInfo.safeParse(parseJson(answer.text));
  answerJson(call.response, 200, {
    provider: answer.status === 200 && provider.success ? provider.data : null,
    version: { commit_message: "See GitHub for latest changes", ...tools.version },
    arch: ARCHITECTURES[process.arch] ?? process.arch,
  });
}

type Answer = { readonly status: number; readonly text: string };

async function ask({ provider, authorization }: SystemTools, path: string): Promise<Answer> {
  const { statusCode, body } = await provider.pool.request({
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

/** `undefined` when it is not JSON; the schemas refuse that. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // A provider that answers something else is told by the caller.
    return undefined;
  }
}
