import { z } from "zod";
import type { Claim } from "#ledger/types/build.ts";
import { HttpError } from "#sdk/errors.ts";
import type { GatewayClient } from "#sdk/gateway-client.ts";
import { BuildFailed } from "./build-failed.ts";
import { LeaseLost } from "./hold-lease.ts";

const OUTCOME = z.object({
  ok: z.boolean(),
  failures: z.array(
    z.object({
      name: z.string(),
      reason: z.string(),
      fault: z.literal("platform").optional(),
    }),
  ),
});

/**
 * Ask buildshiprun to switch the stack. From here the build is not cancelled: there is no signal. Throws
 * BuildFailed when it went back, LeaseLost when it was taken over, and what a later attempt may mend.
 */
export async function switchStack(gateway: GatewayClient, claim: Claim): Promise<void> {
  const response = await gateway.call("buildshiprun", "", {
    headers: { "x-build-id": claim.build.id, "x-epoch": String(claim.epoch) },
  });
  if (!response.ok) {
    const text = `buildshiprun answered ${response.status}: ${(await response.text()).slice(0, 500)}`;
    if (response.status === 409) throw new LeaseLost(text);
    throw new HttpError(503, "deploy-failed", text);
  }
  const { ok, failures } = OUTCOME.parse(await response.json());
  if (!ok)
    throw new BuildFailed(
      "failed",
      failures.map(({ name, reason }) => `${name}: ${reason}`).join("; "),
      failures,
      // Where one of them is the commit's, a fix is what it waits for.
      failures.every(({ fault }) => fault === "platform") ? "platform" : undefined,
    );
}
