import type { Ledger } from "#ledger/types/ledger.ts";
import { refuseSlug, toSlug } from "#sdk/names.ts";

/** Owners whose code ships with the platform: the demo's and the doctor's canary. */
const PLATFORM_OWNERS = ["demo", "ofc-doctor"] as const;
/** The setting that lets strangers onto the process engine; its name says what it risks. */
export const STRANGERS_SWITCH = "process_engine_runs_strangers_code";

export type OwnerPolicy = {
  /** Why an owner of this login may not push here, or `undefined` when it may. */
  refuse(login: string): string | undefined;
};

/** The process engine does not keep owners apart, so one owner is all it takes without the switch. */
export function createOwnerPolicy(ledger: Ledger, strangersAllowed: boolean): OwnerPolicy {
  return {
    refuse(login) {
      const slug = toSlug(login);
      const refusal = refuseSlug(slug);
      if (refusal !== undefined) return `${refusal}.`;
      if (strangersAllowed || isPlatformOwner(slug)) return undefined;
      const other = ledger
        .listOwners()
        .find((owner) => owner.slug !== slug && !isPlatformOwner(owner.slug));
      return (
        other &&
        `The process engine does not isolate owners, and "${other.slug}" is here already. Set ${STRANGERS_SWITCH}=true if "${slug}" may read and change everything that "${other.slug}" runs.`
      );
    },
  };
}

/** The ledger as intake sees it: an owner whom the policy refuses is refused, and that is recorded. */
export function guardLedger(ledger: Ledger, policy: OwnerPolicy, now = Date.now): Ledger {
  return {
    ...ledger,
    acceptPush(push) {
      const reason = policy.refuse(push.owner.login);
      if (reason === undefined) return ledger.acceptPush(push);
      ledger.recordDelivery({
        key: push.deliveryKey,
        event: push.event,
        receivedAt: now(),
        decision: "refused",
        reason,
        status: 403,
        ownerLogin: push.owner.login,
        repository: push.repository.fullName,
        sha: push.sha,
      });
      return { decision: "refused", reason, superseded: [] };
    },
  };
}

function isPlatformOwner(slug: string): boolean {
  return PLATFORM_OWNERS.some((one) => one === slug);
}
