import { z } from "zod";
import { SYSTEM_NAMESPACE } from "#sdk/names.ts";
import { retryPolicy } from "./retry-policy.ts";

/** The two queues: the platform's own functions, and everybody else's. */
export type QueueName = "pipeline" | "invocations";
/** Everything that has a queue in the store: calls, and what is told when they have ended. */
export const LANE_NAMES = ["pipeline", "invocations", "callbacks"] as const;
export type LaneName = (typeof LANE_NAMES)[number];

/** How a call ended for good; the body is forgotten once this is stored. */
export type Settled = {
  /** What the function answered; 0 when it was never reached. */
  readonly status: number;
  readonly durationMs: number;
};

const storedCall = z.object({
  v: z.literal(1),
  callId: z.string(),
  /** Tells two accepted calls with one call id apart. */
  nonce: z.string(),
  method: z.string(),
  function: z.string(),
  namespace: z.string(),
  /** Percent-encoded, with its leading slash; empty for none. */
  path: z.string(),
  /** With its leading question mark; empty for none. */
  query: z.string(),
  headers: z.record(z.string(), z.string()),
  /** Base64; empty once the call is settled. */
  body: z.string(),
  /** Length of the body before it was encoded. */
  bytes: z.number(),
  ownerId: z.string(),
  /** Unix milliseconds. */
  acceptedAt: z.number(),
  callbackUrl: z.string().optional(),
  /** What the function's annotations ask for; the platform's values hold without it. */
  retry: retryPolicy.optional(),
  settled: z.object({ status: z.number(), durationMs: z.number() }).optional(),
});
/** One accepted asynchronous call, as a job stores it. */
export type StoredCall = Readonly<z.infer<typeof storedCall>>;

/** The call of a job's data, or `undefined` for a version or shape that this program does not know. */
export function parseStoredCall(data: unknown): StoredCall | undefined {
  const parsed = storedCall.safeParse(data);
  return parsed.success ? parsed.data : undefined;
}

/** `/function/shop-cart.openfaas-fn/items?id=1`, what a worker asks the gateway for. */
export function formatDelivery(call: StoredCall): string {
  return `/function/${call.function}.${call.namespace}${call.path}${call.query}`;
}

export function queueOf(namespace: string): QueueName {
  return namespace === SYSTEM_NAMESPACE ? "pipeline" : "invocations";
}

/** Job ids may be neither integers nor hold a colon; call ids are checked before they come here. */
export function jobIdOf(callId: string): string {
  return `call-${callId}`;
}
