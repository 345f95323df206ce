import { randomBytes } from "node:crypto";
import { Readable } from "node:stream";
import type { BuildkitAddress } from "./address.ts";
import type { BuildEvent } from "./build-event.ts";
import { type Connection, connect } from "./connect.ts";
import { dial } from "./dial.ts";
import { explainFailure } from "./explain-failure.ts";
import { followStatus } from "./follow-status.ts";
import { frontendAttributes } from "./frontend-attributes.ts";
import type { ImageBuild } from "./image-build.ts";
import { createSession, type Session } from "./serve-session.ts";
import { sessionHeaders } from "./session-headers.ts";
import { createStepTracker } from "./track-steps.ts";
import { tunnelSession } from "./tunnel-session.ts";

export type Exporter = { readonly type: string; readonly attrs: Readonly<Record<string, string>> };

export type Solved = {
  readonly exporter: Exporter | undefined;
  /** What it says of the result, by names of its own. */
  readonly response: Readonly<Record<string, string>>;
};

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
  const connection = await connect(address, build.signal);
  const uploadId = randomId();
  const context = Readable.from(build.context, { objectMode: false });
  let contextError: unknown;
  context.on("error", (error) => {
    contextError = error;
  });
  const session = createSession({ ...build, uploadId, context });
  const failed: Extract<BuildEvent, { kind: "failed" }>[] = [];
  const onEvent = (event: BuildEvent) => {
    if (event.kind === "failed") failed.push(event);
    build.onEvent(event);
  };
  // The daemon reads a context to its end even when its build was cancelled, unless it is broken off first.
  const breakOff = () => {
    session.close();
    context.destroy();
  };
  build.signal.addEventListener("abort", breakOff, { once: true });

  try {
    const [exporter, sessionId] = await Promise.all([
      pickExporter(connection.control, build.signal),
      openSession(address, connection, session, build.signal),
    ]);
    const ids = { sessionId, uploadId };
    return { exporter, response: await run(connection, exporter, { ...build, onEvent }, ids) };
  } catch (error) {
    build.signal.throwIfAborted();
    throw contextError ?? explainFailure(error, connection.isLost(), failed);
  } finally {
    build.signal.removeEventListener("abort", breakOff);
    breakOff();
    connection.close();
  }
}

/** Docker has a request for it, which is twice as fast as the tunnel that works everywhere. */
async function openSession(
  address: BuildkitAddress,
  { control }: Connection,
  session: Session,
  signal: AbortSignal,
): Promise<string> {
  const id = randomId();
  const headers = sessionHeaders(id, session.methods);
  session.serve(
    address.kind === "docker"
      ? await dial(address, "/session", headers, signal)
      : tunnelSession(control, headers),
  );
  return id;
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
