import type { DatabaseSync } from "node:sqlite";
import { SCHEMA_V1, SCHEMA_V2, SCHEMA_V3, SCHEMA_V4, SCHEMA_V5 } from "./schema.ts";

/** Step n takes a ledger from version n to n + 1. Append only. */
const STEPS: readonly string[] = [SCHEMA_V1, SCHEMA_V2, SCHEMA_V3, SCHEMA_V4, SCHEMA_V5];

/** Bring the file to the newest version, a transaction for each step; a file from the future is refused. */
export function migrate(file: DatabaseSync, steps: readonly string[] = STEPS): void {
  while (applyNextStep(file, steps));
}

function applyNextStep(file: DatabaseSync, steps: readonly string[]): boolean {
  file.exec("BEGIN IMMEDIATE");
  try {
    // Read under the lock, so that two processes that start together do not both apply the step.
    const version = readVersion(file);
    const step = steps[version];
    if (version > steps.length) throw new Error(describeFuture(version, steps.length));
    if (step !== undefined) file.exec(`${step};\nPRAGMA user_version = ${version + 1}`);
    file.exec("COMMIT");
    return step !== undefined;
  } catch (error) {
    if (file.isTransaction) file.exec("ROLLBACK");
    throw error;
  }
}

function readVersion(file: DatabaseSync): number {
  return Number(file.prepare("PRAGMA user_version").get()?.user_version);
}

function describeFuture(version: number, known: number): string {
  return `The ledger has version ${version}, and this program knows versions up to ${known}; start the newer program that wrote it, or restore an older backup.`;
}
