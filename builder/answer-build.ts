import type { BuildLine } from "#sdk/messages.ts";
import { createLineSink, type LineSink } from "./build-lines.ts";
import type { BuilderSettings } from "./settings.ts";

type Run = (sink: LineSink, signal: AbortSignal) => Promise<BuildLine>;

/**
 * Answer as the caller asked: a line of JSON for each thing that happens, or one document at the end
 * (200 or 422). Either way, a caller who goes away ends the build.
 */
export async function answerBuild(
  request: Request,
  settings: BuilderSettings,
  closing: AbortSignal,
  run: Run,
): Promise<Response> {
  const gone = new AbortController();
  const signal = AbortSignal.any([request.signal, closing, gone.signal]);
  if (request.headers.get("accept")?.includes("application/x-ndjson"))
    return answerStream(settings, gone, (sink) => run(sink, signal));
  return answerDocument(settings, (sink) => run(sink, signal));
}

function answerStream(
  settings: BuilderSettings,
  gone: AbortController,
  run: (sink: LineSink) => Promise<BuildLine>,
): Response {
  const encoder = new TextEncoder();
  let open = true;
  const body = new ReadableStream<Uint8Array>({
    async start(controller) {
      const sink = createLineSink((line) => {
        if (open) controller.enqueue(encoder.encode(`${JSON.stringify(line)}\n`));
      }, settings);
      await run(sink);
      if (open) controller.close();
      open = false;
    },
    cancel() {
      open = false;
      gone.abort(new DOMException("The caller went away.", "AbortError"));
    },
  });
  return new Response(body, { headers: { "content-type": "application/x-ndjson" } });
}

async function answerDocument(
  settings: BuilderSettings,
  run: (sink: LineSink) => Promise<BuildLine>,
): Promise<Response> {
  const log: string[] = [];
  const sink = createLineSink((line) => log.push(...(line.log ?? [])), settings);
  const ended = await run(sink);
  return Response.json({ log, ...ended }, { status: ended.status === "success" ? 200 : 422 });
}
