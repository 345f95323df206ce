import { randomBytes } from "node:crypto";
import { type Duplex, Readable } from "node:stream";
import type { BuildkitAddress } from "./address.ts";
import type { BuildEvent } from "./build-event.ts";
import { type Connection, connect } from "./connect.ts";
import { dial } from "./dial.ts";
import { explainFailure } from "./explain-failure.ts";
import { followStatus } from "./follow-status.ts";
import { frontendAttributes } from "./frontend-attributes.ts";
import type { ImageBuild } from "./image-build.ts";
import { createSession } from "./serve-session.ts";
import { sessionHeaders } from "./session-headers.ts";
import { createStepTracker } from "./track-steps.ts";
import { tunnelSession } from "./tunnel-session.ts";

export type Exporter = { readonly type: string; readonly attrs: Readonly<Record<string, string>> };

export type Solved = {
  readonly exporter: Exporter | undefined;
  /** What it says of the result, by names of its own. */
  readonly response: Readonly<Record<string, string>>;
};

/** What of a context waits for the daemon, which takes a while to ask for it. */
const READ_AHEAD_BYTES = 1024 * 1024;
/** The status stream ends by itself right after the build; this is for a daemon that forgets to. */
const LAST_UPDATE_MS = 2_000;

/**
 * Build over a connection of its own, with the exporter that fits the daemon. Rejects with 422
 * `build-failed` for what the Dockerfile or the context did, with the context's own error, with 503 when the
 * daemon was lost, with the signal's reason when that aborted. Whatever way it ends, the daemon is told to end.
 */
export async function solve(
  address: BuildkitAddress,
  build: ImageBuild,
  pickExporter: (
    control: Connection["control"],
    signal: AbortSignal,
  ) => Promise<Exporter | undefined>,
): Promise<Solved> {
  const ids = { sessionId: randomId(), uploadId: randomId() };
  const context = readAhead(build.context);
  let contextError: unknown;
  context.on("error", (error) => {
    contextError = error;
  });
  const session = createSession({ ...build, uploadId: ids.uploadId, context });
  const { failed, onEvent } = collectFailed(build.onEvent);
  // The daemon reads a context to its end even when its build was cancelled, unless it is broken off first.
  const breakOff = () => {
    session.close();
    context.destroy();
  };
  build.signal.addEventListener("abort", breakOff, { once: true });
  let connection: Connection | undefined;

  try {
    const headers = sessionHeaders(ids.sessionId, session.methods);
    const opened = await openBoth(address, headers, build.signal);
    connection = opened.connection;
    session.serve(opened.stream);
    const exporter = await pickExporter(connection.control, build.signal);
    return { exporter, response: await run(connection, exporter, { ...build, onEvent }, ids) };
  } catch (error) {
    build.signal.throwIfAborted();
    // What was never connected has told why itself.
    if (connection === undefined) throw error;
    throw contextError ?? explainFailure(error, connection.isLost(), failed);
  } finally {
    build.signal.removeEventListener("abort", breakOff);
    breakOff();
    connection?.close();
  }
}

function collectFailed(tell: (event: BuildEvent) => void) {
  const failed: Extract<BuildEvent, { kind: "failed" }>[] = [];
  const onEvent = (event: BuildEvent) => {
    if (event.kind === "failed") failed.push(event);
    tell(event);
  };
  return { failed, onEvent };
}

/**
 * The connection for requests, and the stream on which the daemon asks us. Docker has a request for the
 * latter, which is twice as fast as the tunnel that works everywhere, and both are opened at once.
 */
async function openBoth(
  address: BuildkitAddress,
  headers: Readonly<Record<string, string | readonly string[]>>,
  signal: AbortSignal,
): Promise<{ readonly connection: Connection; readonly stream: Duplex }> {
  const connecting = connect(address, signal);
  if (address.kind !== "docker") {
    const connection = await connecting;
    return { connection, stream: tunnelSession(connection.control, headers) };
  }
  const dialing = dial(address, "/session", headers, signal);
  try {
    const [connection, stream] = await Promise.all([connecting, dialing]);
    return { connection, stream };
  } catch (error) {
    // The other one may come up all the same.
    connecting.then(({ close }) => close()).catch(() => {});
    dialing.then((stream) => stream.destroy()).catch(() => {});
    throw error;
  }
}

function readAhead(chunks: AsyncIterable<Uint8Array>): Readable {
  const stream = Readable.from(chunks, { objectMode: false, highWaterMark: READ_AHEAD_BYTES });
  // It begins to fill; nothing is taken out.
  stream.read(0);
  return stream;
}

async function run(
  { control }: Connection,
  exporter: Exporter | undefined,
  build: ImageBuild,
  ids: { readonly sessionId: string; readonly uploadId: string },
): Promise<Readonly<Record<string, string>>> {
  const ref = randomId();
  const status = followStatus(control, ref, createStepTracker(build.onEvent));
  const request = {
    ref,
    session: ids.sessionId,
    frontend: "dockerfile.v0",
    frontendAttrs: { ...frontendAttributes(build, ids.uploadId) },
    // Old daemons know the first two, new ones prefer the third.
    exporter: exporter?.type ?? "",
    exporterAttrs: { ...exporter?.attrs },
    exporters: exporter === undefined ? [] : [{ ...exporter, attrs: { ...exporter.attrs } }],
    cache: {},
  };
  try {
    const { exporterResponse } = await control.solve(request, { signal: build.signal });
    await status.finish(LAST_UPDATE_MS);
    return exporterResponse;
  } catch (error) {
    // Its failure is the same as the build's, or its consequence.
    await status.finish(build.signal.aborted ? 0 : LAST_UPDATE_MS).catch(() => {});
    throw error;
  }
}

/** Never used again: the daemon keeps sessions, uploads and builds by such names. */
function randomId(): string {
  return randomBytes(16).toString("hex");
}
