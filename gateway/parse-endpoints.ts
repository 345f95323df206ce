import type { KnownEndpoints } from "./endpoint-table.ts";
import { isObject } from "./is-object.ts";

/** One line of the provider's `/endpoints`: the whole table, one function's set, or a heartbeat. */
export type EndpointLine =
  | { readonly kind: "all"; readonly all: readonly KnownEndpoints[] }
  | { readonly kind: "change"; readonly change: KnownEndpoints }
  | { readonly kind: "heartbeat" };

/** Throws when the line is not of version 1. By hand, because zod would be a tenth of the gateway's memory. */
export function parseEndpointLine(text: string): EndpointLine {
  const line: unknown = JSON.parse(text);
  if (!isObject(line) || line.v !== 1) throw refuse("v is not 1", text);
  const { all, change } = line;
  if (Array.isArray(all)) return { kind: "all", all: all.map(parseEndpoints) };
  if (all !== undefined) throw refuse("all is not a list", text);
  if (change !== undefined) return { kind: "change", change: parseEndpoints(change) };
  return { kind: "heartbeat" };
}

function parseEndpoints(value: unknown): KnownEndpoints {
  const { name, namespace, endpoints, replicas, owner, idleMs } = isObject(value) ? value : {};
  if (!isName(name)) throw refuse("name is not a text", value);
  if (!isName(namespace)) throw refuse("namespace is not a text", value);
  if (!isTexts(endpoints)) throw refuse("endpoints is not a list of texts", value);
  if (!isCount(replicas)) throw refuse("replicas is not a whole number from 0 up", value);
  if (owner !== undefined && typeof owner !== "string") throw refuse("owner is not a text", value);
  if (idleMs !== undefined && !isCount(idleMs)) throw refuse("idleMs is not a whole number", value);
  const known = { name, namespace, endpoints, replicas };
  return {
    ...known,
    ...(owner === undefined ? {} : { owner }),
    ...(idleMs === undefined ? {} : { idleMs }),
  };
}

function isName(value: unknown): value is string {
  return typeof value === "string" && value !== "";
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((one) => typeof one === "string");
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 0;
}

function refuse(why: string, value: unknown): Error {
  const shown = typeof value === "string" ? value : JSON.stringify(value);
  return new Error(`The provider's /endpoints sent what is not understood: ${why}: ${shown}`);
}
