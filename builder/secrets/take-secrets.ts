import { HttpError } from "#sdk/errors.ts";
import type { BuildKey, BuildSecrets } from "./build-key.ts";
import { createMask, type Mask, NO_MASK } from "./mask-secrets.ts";
import { SECRETS_ENTRY } from "./secrets-entry.ts";

export type SecretTaker = {
  /** Filled by `take`, before any step can ask: BuildKit has the whole context first. */
  readonly values: BuildSecrets;
  /** What hides them; until they came there is nothing to hide. */
  mask(): Mask;
  /** Throws 422 for an envelope that cannot be opened, or that an owner's build holds. */
  take(envelope: Uint8Array): void;
};

/** The secrets of one build. `owner` is absent for a build of the operator's faas-cli. */
export function createSecretTaker(key: BuildKey, owner: string | undefined): SecretTaker {
  const values = new Map<string, Uint8Array>();
  let mask = NO_MASK;
  return {
    values,
    mask: () => mask,
    take(envelope) {
      // An envelope names nobody: whoever gets hold of one could have it opened.
      if (owner !== undefined)
        throw new HttpError(
          422,
          "bad-secrets",
          `${SECRETS_ENTRY} is for builds of faas-cli; an owner's build has no build secrets.`,
        );
      for (const [id, value] of key.open(envelope)) values.set(id, value);
      mask = createMask(values);
    },
  };
}
