import { z } from "zod";
import { HttpError } from "#sdk/errors.ts";
import type { CallAnswer } from "#sdk/send-call.ts";

const LINE = z.object({
  log: z.array(z.string()).optional(),
  status: z.enum(["in_progress", "success", "failed"]),
  error: z.string().optional(),
});

/**
 * Read buildshiprun's lines to the end. Returns why the build failed, `undefined` when it succeeded;
 * throws what a later attempt may mend (another answer, a stream that ends without a result).
 */
export async function readBuildResult(
  response: CallAnswer,
  log: (text: string) => void,
): Promise<string | undefined> {
  if (!response.ok || response.body === null) {
    const text = (await response.text()).slice(0, 500);
    throw new HttpError(
      503,
      "buildshiprun-failed",
      `buildshiprun answered ${response.status}: ${text}`,
    );
  }
  for await (const text of splitLines(response.body)) {
    const line = LINE.parse(JSON.parse(text));
    for (const one of line.log ?? []) log(one);
    if (line.status === "success") return undefined;
    if (line.status === "failed") return line.error ?? "the build failed without a reason";
  }
  throw new HttpError(503, "build-broke-off", "The builder's answer ended without a result.");
}

async function* splitLines(body: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of body) {
    const parts = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = parts.pop() ?? "";
    yield* parts.filter((part) => part !== "");
  }
  if (rest !== "") yield rest;
}
