import type { Claim } from "#ledger/types/build.ts";
import type { Ledger } from "#ledger/types/ledger.ts";
import { HttpError } from "#sdk/errors.ts";

/** The claim under which git-tar calls; its epoch is checked by every write that follows. */
export function findClaim(ledger: Pick<Ledger, "findBuild">, headers: Headers): Claim {
  const id = headers.get("x-build-id") ?? "";
  const epoch = headers.get("x-epoch") ?? "";
  if (!/^\d{1,15}$/.test(epoch))
    throw new HttpError(400, "bad-epoch", `X-Epoch is "${epoch}"; expected a whole number.`);
  const build = ledger.findBuild(id);
  if (build === undefined) throw new HttpError(404, "no-such-build", `There is no build "${id}".`);
  return { build, epoch: Number(epoch) };
}
