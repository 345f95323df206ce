import { createHash } from "node:crypto";
import { chmod, copyFile, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silentLog } from "#sdk/log.ts";
import { contractTimes, type EngineUnderTest } from "../contract/contract-kit.ts";
import { openProcessEngine, type ProcessEngine } from "./open-process-engine.ts";
import type { Settings } from "./settings.ts";

export type ProcessEngineUnderTest = EngineUnderTest & {
  readonly engine: ProcessEngine;
  readonly folder: string;
};

/** A process engine on a data folder of its own, with the test function built. */
export async function openUnderTest(
  settings: Partial<Settings> = {},
): Promise<ProcessEngineUnderTest> {
  const folder = await mkdtemp(join(tmpdir(), "ofc-engine-"));
  const image = await buildTestFunction(join(folder, "artifacts"));
  const open = () => openOn(folder, settings);
  const engine = await open();
  const opened = [engine];

  return {
    engine,
    image,
    folder,
    async reopen() {
      await opened.at(-1)?.close(0);
      const again = await open();
      await again.ready();
      opened.push(again);
      return again;
    },
    async dispose() {
      await Promise.all(opened.map((one) => one.close(0)));
      await rm(folder, { recursive: true, force: true });
    },
  };
}

export function openOn(folder: string, settings: Partial<Settings> = {}): Promise<ProcessEngine> {
  return openProcessEngine({
    dataFolder: folder,
    runFolder: join(folder, "run"),
    artifacts: join(folder, "artifacts"),
    log: silentLog,
    settings: { ...contractTimes, healthDeadlineMs: 15_000, ...settings },
  });
}

/** Put `test-function/main.mjs` where the builder would; returns the image reference. */
export async function buildTestFunction(artifacts: string): Promise<string> {
  const source = new URL("../test-function/main.mjs", import.meta.url).pathname;
  return buildArtifact(artifacts, ["node", "main.mjs"], async (root) => {
    await copyFile(source, join(root, "main.mjs"));
  });
}

export async function buildArtifact(
  artifacts: string,
  command: readonly string[],
  fill: (root: string) => Promise<void>,
): Promise<string> {
  const digest = createHash("sha256").update(command.join("\0")).digest("hex");
  const root = join(artifacts, digest, "root");
  await mkdir(root, { recursive: true });
  await fill(root);
  await chmod(root, 0o755);
  await writeFile(join(artifacts, digest, "artifact.json"), JSON.stringify({ v: 1, command }));
  return `test:1@sha256:${digest}`;
}
