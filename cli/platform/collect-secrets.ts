import type { Ledger } from "#ledger/types/ledger.ts";
import type { UnixMs } from "#ledger/types/unix-ms.ts";
import type { Engine } from "#provider/provider.ts";
import { HttpError } from "#sdk/errors.ts";
import type { Log } from "#sdk/log.ts";
import { listVersions } from "./list-versions.ts";

export type SecretTools = {
  readonly ledger: Ledger;
  readonly engine: Pick<Engine, "inventory" | "listSecrets" | "removeSecret">;
  readonly settings: {
    /** Newest releases of a function that it can go back to. */
    readonly keepReleases: number;
    /** How long a secret is kept when the last function that had it is gone. */
    readonly keepSecretsMs: number;
  };
  readonly log: Log;
};

/**
 * Remove secrets that functions had and none has, can go back to, or is about to get, for that long. Answers
 * their names. One that no function ever had may be waiting for its first.
 */
export async function collectSecrets(tools: SecretTools, now: UnixMs): Promise<readonly string[]> {
  const { ledger, engine, settings, log } = tools;
  const stored = await engine.listSecrets();
  const used = await findUsed(tools);
  const unused = ledger.noteSecretUses(
    stored,
    (name) => used.has(name),
    now - settings.keepSecretsMs,
  );
  for (const name of unused) {
    await engine.removeSecret(name).catch(unlessGone);
    log.info("secret-dropped", { secret: name });
  }
  return unused;
}

/** What is deployed by whomever, what functions can go back to, and what builds under way will deploy. */
async function findUsed({ ledger, engine, settings }: SecretTools): Promise<ReadonlySet<string>> {
  const deployed = (await engine.inventory()).map(({ status }) => status);
  const kept = ledger
    .listServing({})
    .flatMap(({ service }) => listVersions(ledger, service, settings.keepReleases))
    .map(({ deployment }) => deployment);
  const planned = ledger
    .listOpen()
    .flatMap(({ plan }) => plan?.functions ?? [])
    .map(({ deployment }) => deployment);
  return new Set([...deployed, ...kept, ...planned].flatMap(({ secrets }) => secrets ?? []));
}

/** Somebody else was faster. */
function unlessGone(error: unknown): void {
  if (!(error instanceof HttpError && error.status === 404)) throw error;
}
