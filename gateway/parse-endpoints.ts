import { z } from "zod";
import type { KnownEndpoints } from "./endpoint-table.ts";

const known = z.object({
  name: z.string().min(1),
  namespace: z.string().min(1),
  endpoints: z.array(z.string()),
  replicas: z.number().int().nonnegative(),
  owner: z.string().optional(),
});
const line = z.object({
  v: z.literal(1),
  all: z.array(known).optional(),
  change: known.optional(),
});

/** One line of the provider's `/endpoints`: the whole table, one function's set, or a heartbeat. */
export type EndpointLine =
  | { readonly kind: "all"; readonly all: readonly KnownEndpoints[] }
  | { readonly kind: "change"; readonly change: KnownEndpoints }
  | { readonly kind: "heartbeat" };

/** Throws when the line is not of version 1. */
export function parseEndpointLine(text: string): EndpointLine {
  const { all, change } = line.parse(JSON.parse(text));
  if (all !== undefined) return { kind: "all", all: all.map(exact) };
  if (change !== undefined) return { kind: "change", change: exact(change) };
  return { kind: "heartbeat" };
}

function exact({ owner, ...rest }: z.infer<typeof known>): KnownEndpoints {
  return owner === undefined ? rest : { ...rest, owner };
}
