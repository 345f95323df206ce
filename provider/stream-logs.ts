import { HttpError } from "#sdk/errors.ts";
import { notFound } from "./engine-errors.ts";
import { checkNamespace } from "./namespace-routes.ts";
import type { Engine, LogLine, LogQuery } from "./provider.ts";
import type { Call } from "./route.ts";

/** `GET /system/logs` (spec/openfaas-api.md section 9): one JSON object a line, flushed one by one. */
export async function streamLogs(engine: Engine, { request, url }: Call): Promise<Response> {
  checkNamespace(url);
  const left = new AbortController();
  const signal = AbortSignal.any([request.signal, left.signal]);
  const query: LogQuery = { ...parseLogQuery(url.searchParams), signal };
  if ((await engine.status(query.name)) === undefined) throw notFound(query.name);
  const lines = engine.logs(query)[Symbol.asyncIterator]();
  const body = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { done, value } = await lines.next();
        if (done === true) controller.close();
        else controller.enqueue(Buffer.from(`${JSON.stringify(value satisfies LogLine)}\n`));
      },
      async cancel() {
        left.abort();
        await lines.return?.();
      },
    },
    { highWaterMark: 0 },
  );
  return new Response(body, { headers: { "content-type": "application/x-ndjson" } });
}

/** Throws 400 without a name and 422 for a tail or since that cannot be read. */
function parseLogQuery(params: URLSearchParams): Omit<LogQuery, "signal"> {
  const last = (name: string) => params.getAll(name).at(-1) || undefined;
  const name = last("name");
  if (name === undefined) throw new HttpError(400, "invalid", "name: is required");
  const instance = last("instance");
  const tail = last("tail");
  const since = last("since");
  if (tail !== undefined && !/^-?\d{1,9}$/.test(tail)) throw unreadable("tail", tail);
  if (since !== undefined && Number.isNaN(Date.parse(since))) throw unreadable("since", since);
  return {
    name,
    ...(instance === undefined ? {} : { instance }),
    ...(tail === undefined || Number(tail) <= 0 ? {} : { tail: Number(tail) }),
    ...(since === undefined ? {} : { since: new Date(since) }),
    follow: /^(1|t|T|true|TRUE|True)$/.test(last("follow") ?? ""),
  };
}

function unreadable(name: string, value: string): HttpError {
  return new HttpError(
    422,
    "invalid",
    `could not parse the log request: ${name} is ${JSON.stringify(value)}`,
  );
}
