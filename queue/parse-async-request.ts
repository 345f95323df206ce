import { randomUUID } from "node:crypto";
import { HttpError } from "#sdk/errors.ts";
import { FUNCTION_NAMESPACE, SYSTEM_NAMESPACE, splitServiceName } from "#sdk/names.ts";
import { readBounded } from "#sdk/read-bounded.ts";
import { refuseCallbackUrl } from "./callback-address.ts";

const NAME = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;
const CALL_ID = /^[\w.-]{1,100}$/;
const OWNER_ID = /^[\w:.-]{1,100}$/;

/** Named per RFC 9110 section 7.6.1, and what the next hop writes anew. */
const HOP_BY_HOP = [
  "connection",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "expect",
  "host",
  "content-length",
] as const;
/** Secrets are not kept at rest, and what the queue itself reads is not passed on. */
const NOT_STORED = [
  "authorization",
  "cookie",
  "x-cloud-signature",
  "x-content-key",
  "x-call-id",
  "x-owner-id",
  "x-callback-url",
] as const;

export type Target = {
  readonly name: string;
  readonly namespace: string;
  readonly path: string;
  readonly query: string;
};

/** The function and path of `/async-function/<name>[.<ns>][/path][?query]`; throws 404. */
export function parseTarget(url: URL): Target {
  const match = /^\/async-function\/([^/]+)(\/.*)?$/.exec(url.pathname);
  const { name, namespace } = splitServiceName(match?.[1] ?? "");
  if (!NAME.test(name) || (namespace !== FUNCTION_NAMESPACE && namespace !== SYSTEM_NAMESPACE))
    throw new HttpError(
      404,
      "no-such-function",
      `${url.pathname} names no function; call /async-function/<name>.`,
    );
  return { name, namespace, path: match?.[2] ?? "", query: url.search };
}

/** `X-Call-Id` as given, or a new one; throws 400 when it cannot be an id. */
export function parseCallId(headers: Headers): string {
  const given = headers.get("x-call-id");
  if (given === null) return randomUUID();
  if (CALL_ID.test(given)) return given;
  throw new HttpError(
    400,
    "bad-call-id",
    'X-Call-Id must be 1 to 100 letters, digits, "-", "_" or "."; leave it out to get one.',
  );
}

/** Who pays for the call's turn: `X-Owner-Id` from internal callers, else the function itself. */
export function parseOwnerId(headers: Headers, target: Target): string {
  const given = headers.get("x-owner-id");
  if (given === null) return `function.${target.name}`;
  if (OWNER_ID.test(given)) return given;
  throw new HttpError(400, "bad-owner-id", "X-Owner-Id must look like github:583231.");
}

/** `X-Callback-Url`, if any; throws 400 when it is not an http(s) URL that may be called. */
export function parseCallbackUrl(headers: Headers, allowPrivate: boolean): string | undefined {
  const given = headers.get("x-callback-url");
  if (given === null || given === "") return undefined;
  const why = refuseCallbackUrl(given, allowPrivate);
  if (why !== undefined) throw new HttpError(400, "bad-callback-url", why);
  return new URL(given).href;
}

/** The headers that belong to the function: end-to-end ones without credentials. */
export function keepHeaders(headers: Headers): Record<string, string> {
  const named = (headers.get("connection") ?? "")
    .split(",")
    .map((name) => name.trim().toLowerCase());
  const dropped = new Set<string>([...HOP_BY_HOP, ...NOT_STORED, ...named]);
  return Object.fromEntries([...headers].filter(([name]) => !dropped.has(name)));
}

/** Read a body of at most `limitBytes`; throws 413, and 400 when the caller stops half-way. */
export async function readBody(request: Request, limitBytes: number): Promise<Buffer> {
  return readBounded(request, { limitBytes, tooLarge }).catch((cause: unknown) => {
    if (cause instanceof HttpError) throw cause;
    throw new HttpError(400, "body-unreadable", "The body ended before it was complete.", {
      cause,
    });
  });
}

function tooLarge(limitBytes: number): HttpError {
  return new HttpError(
    413,
    "body-too-large",
    `The body is larger than the ${limitBytes} bytes that an asynchronous call may carry (async_max_body); pass a link to the data instead.`,
  );
}
