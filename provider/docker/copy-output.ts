import { setTimeout as sleep } from "node:timers/promises";
import { createLineSplitter } from "../engine/split-lines.ts";
import type { DockerApi } from "./connect-docker.ts";
import { formatSince, readOutput } from "./read-output.ts";

export type OutputTools = {
  readonly docker: DockerApi;
  /** Aborted when the platform lets go of its containers. */
  readonly closed: AbortSignal;
  /** Lines with the time of their end. */
  append(lines: readonly string[], time: string): Promise<void>;
};

/** Copy a container's output to a log until `hasEnded` and all is read; over outages of dockerd, too. */
export async function copyOutput(
  { docker, closed, append }: OutputTools,
  container: { readonly id: string; hasEnded(): boolean },
  after: string | undefined,
): Promise<void> {
  const splitters = { stdout: createLineSplitter(), stderr: createLineSplitter() };
  let last = after;
  for (;;) {
    const isLastRound = container.hasEnded();
    try {
      await copyOnce();
      if (isLastRound) break;
    } catch {
      // Dockerd is away or the container is removed; its end is told elsewhere.
      if (isLastRound) break;
    }
    if (closed.aborted) return;
    await sleep(container.hasEnded() ? 0 : 50, undefined, { signal: closed }).catch(() => {});
  }
  for (const splitter of Object.values(splitters)) await append(splitter.end(), nowOr(last));

  async function copyOnce(): Promise<void> {
    const stream = await docker.streams.getContainer(container.id).logs({
      follow: true,
      stdout: true,
      stderr: true,
      timestamps: true,
      abortSignal: closed,
      ...(last === undefined ? {} : { since: formatSince(last) }),
    });
    for await (const { source, time, bytes } of readOutput(stream)) {
      last = time;
      await append(splitters[source].push(bytes), time);
    }
  }
}

function nowOr(time: string | undefined): string {
  return time ?? new Date().toISOString();
}
