import type { Timestamp } from "@bufbuild/protobuf/wkt";
import type { BuildEvent } from "./build-event.ts";
import type { StatusResponse, Vertex } from "./generated/control_pb.ts";

type Told = Set<BuildEvent["kind"]>;

const STDERR = 2n;

/**
 * Turn BuildKit's updates into events. A vertex comes many times, and whether it was cached may come later
 * than its end; each fact is told once.
 */
export function createStepTracker(tell: (event: BuildEvent) => void) {
  const steps = new Map<string, Told>();
  const decoder = new TextDecoder();

  return (update: StatusResponse): void => {
    for (const vertex of update.vertexes) tellVertex(vertex);
    for (const { vertex, stream, msg } of update.logs)
      tell({
        kind: "output",
        step: vertex,
        stream: stream === STDERR ? "stderr" : "stdout",
        bytes: msg,
      });
    for (const { summary } of update.warnings)
      tell({ kind: "warning", text: decoder.decode(summary) });
  };

  function tellVertex({ digest, name, started, completed, cached, error }: Vertex): void {
    const told = steps.get(digest) ?? new Set();
    steps.set(digest, told);
    const once = (event: BuildEvent) => {
      if (told.has(event.kind)) return;
      told.add(event.kind);
      tell(event);
    };
    if (cached) once({ kind: "cached", step: digest, name });
    else if (started !== undefined) once({ kind: "started", step: digest, name });
    if (cached || completed === undefined) return;
    if (error !== "") once({ kind: "failed", step: digest, name, error });
    else once({ kind: "done", step: digest, name, seconds: secondsBetween(started, completed) });
  }
}

function secondsBetween(from: Timestamp | undefined, to: Timestamp): number {
  if (from === undefined) return 0;
  return Number(to.seconds - from.seconds) + (to.nanos - from.nanos) / 1e9;
}
