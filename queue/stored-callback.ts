import { z } from "zod";

const storedCallback = z.object({
  v: z.literal(1),
  /** Of the call that is told about. */
  callId: z.string(),
  /** Of that call, too. */
  nonce: z.string(),
  function: z.string(),
  ownerId: z.string(),
  url: z.string(),
  /** What the function answered; 503 when it was never reached. */
  status: z.number(),
  durationMs: z.number(),
  contentType: z.string().optional(),
  /** Base64. */
  body: z.string(),
  /** Length of the body before it was encoded. */
  bytes: z.number(),
  /** Length of a body that was left out, because too much was waiting for this owner's callbacks. */
  leftOutBytes: z.number().optional(),
  /** Attempts of the call after its first, and how many it could have had. */
  retries: z.number(),
  retriesLimit: z.number(),
  /** Unix milliseconds. */
  acceptedAt: z.number(),
});
/** News of an ended call, as a job stores them until they are told. */
export type StoredCallback = Readonly<z.infer<typeof storedCallback>>;

/** The callback of a job's data, or `undefined` for a version or shape that this program does not know. */
export function parseStoredCallback(data: unknown): StoredCallback | undefined {
  const parsed = storedCallback.safeParse(data);
  return parsed.success ? parsed.data : undefined;
}

/** Ids may not hold a colon; call ids are checked before they come here. */
export function callbackJobId(callId: string): string {
  return `callback-${callId}`;
}
