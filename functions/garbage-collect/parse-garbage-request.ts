import { z } from "zod";
import { HttpError } from "#sdk/errors.ts";
import type { GarbageRequest } from "#sdk/messages.ts";
import { parseJson } from "#sdk/push-event.ts";

const sourceId = z.string().regex(/^[a-z]+:\d{1,20}$/, "is not <scm>:<numeric id>");
const wire = z.object({
  functions: z
    .array(z.string().min(1).max(63))
    .nullish()
    .transform((names) => names ?? []),
  repo: z.string().min(1).max(100),
  owner: z.string().min(1).max(100),
  ownerId: sourceId,
  repositoryId: sourceId.exactOptional(),
  buildId: z.string().min(1).max(100).exactOptional(),
  before: z.number().int().positive().exactOptional(),
});

/** 400 that names the fields that do not fit; an owner without an id is never trusted by name. */
export function parseGarbageRequest(body: Uint8Array): GarbageRequest {
  const parsed = wire.safeParse(parseJson(body));
  if (parsed.success) return parsed.data;
  throw new HttpError(400, "bad-body", `Not a garbage request: ${z.prettifyError(parsed.error)}`);
}
