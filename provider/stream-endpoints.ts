import { answerNdjson } from "./ndjson.ts";
import type { Engine } from "./provider.ts";

/**
 * `GET /endpoints`, for gateways: first `{"v":1,"all":[…]}` with every function's endpoints, then
 * `{"v":1,"change":{…}}` for each change, and `{"v":1}` as a heartbeat. A reader that misses heartbeats
 * connects again and begins with the first line.
 */
export function streamEndpoints(
  engine: Engine,
  signal: AbortSignal,
  heartbeatMs: number,
): Response {
  return answerNdjson(({ write, end }) => {
    write({ v: 1, all: engine.endpoints() });
    const unwatch = engine.watchEndpoints((change) => write({ v: 1, change }));
    const heartbeat = setInterval(() => write({ v: 1 }), heartbeatMs);
    signal.addEventListener("abort", end, { once: true });
    return () => {
      unwatch();
      clearInterval(heartbeat);
      signal.removeEventListener("abort", end);
    };
  });
}
