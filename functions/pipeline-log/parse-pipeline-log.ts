import { z } from "zod";
import { HttpError } from "#sdk/errors.ts";
import type { PipelineLog } from "#sdk/messages.ts";
import { parseJson } from "#sdk/push-event.ts";

const wire = z.object({
  RepoPath: z.string().max(201),
  CommitSHA: z.string().max(64),
  Function: z.string().max(63),
  Source: z.string().default(""),
  Data: z.string(),
});

/** 400 when a field is missing or of another type. */
export function parsePipelineLog(body: Uint8Array): PipelineLog {
  const parsed = wire.safeParse(parseJson(body));
  if (parsed.success) return parsed.data;
  throw new HttpError(400, "bad-body", `Not a pipeline log: ${z.prettifyError(parsed.error)}`);
}
