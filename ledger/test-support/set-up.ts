import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ExecutionContext } from "ava";
import { openLedger } from "../ledger.ts";
import type { Build, Claim } from "../types/build.ts";
import type { Accepted, AcceptPush } from "../types/delivery.ts";
import type { Ledger } from "../types/ledger.ts";
import type { Owner } from "../types/owner.ts";
import type { Plan, PlannedFunction } from "../types/plan.ts";
import type { Repository } from "../types/repository.ts";

export const LEASE_MS = 30_000;

/** A ledger in a folder of its own, and a clock that only `wait` moves. */
export function setUp(t: ExecutionContext) {
  const folder = mkdtempSync(join(tmpdir(), "ledger-"));
  const path = join(folder, "ledger.db");
  let now = Date.UTC(2026, 0, 1);
  let ledger = openLedger({ path, now: () => now });
  t.teardown(() => {
    ledger.close();
    rmSync(folder, { recursive: true });
  });

  return {
    path,
    now: () => now,
    wait: (ms: number) => {
      now += ms;
    },
    get ledger() {
      return ledger;
    },
    /** As after a restart: what was not on disk is gone. */
    reopen: () => {
      ledger.close();
      ledger = openLedger({ path, now: () => now });
      return ledger;
    },
  };
}

export const alice: Omit<Owner, "slug"> = { id: "forge:1", scm: "forge", login: "alice" };

export function repositoryOf(owner: Omit<Owner, "slug">, id = 10, name = "shop"): Repository {
  const fullName = `${owner.login}/${name}`;
  return {
    id: `${owner.scm}:${id}`,
    ownerId: owner.id,
    name,
    fullName,
    cloneUrl: `http://localhost/git/${fullName}.git`,
    url: `http://localhost/${fullName}`,
    private: false,
    defaultBranch: "main",
    installationId: 0,
  };
}

let deliveries = 0;

/** 40 hex digits that begin with the number. */
export function shaOf(number: number): string {
  return number.toString(16).padStart(7, "0").padEnd(40, "a");
}

/** A complete push, each a delivery of its own unless it says otherwise. */
export function push({
  owner = alice,
  repository = repositoryOf(owner),
  sha = shaOf(1),
  branch = "main",
  deliveryKey = `${owner.scm}:delivery-${++deliveries}`,
}: {
  owner?: Omit<Owner, "slug">;
  repository?: Repository;
  sha?: string;
  branch?: string;
  deliveryKey?: string;
} = {}): AcceptPush {
  return {
    deliveryKey,
    event: "push",
    owner,
    repository,
    branch,
    sha,
    status: {
      context: "stack-deploy",
      state: "pending",
      description: "queued",
      targetUrl: `http://localhost/builds/${sha}`,
    },
  };
}

/** The build a push made; fails the test when it made none. */
export function buildOf({ build, decision, reason }: Accepted): Build {
  if (build === undefined) throw new Error(`No build: ${decision}, ${reason}`);
  return build;
}

/** A claim that has to be granted. */
export function claim(ledger: Ledger, { id }: Build, leaseMs = LEASE_MS): Claim {
  const granted = ledger.claimBuild(id, "worker", leaseMs);
  if (granted === undefined) throw new Error(`Build ${id} was not granted`);
  return granted;
}

export function plannedFunction(name: string, service = `alice-${name}`): PlannedFunction {
  return {
    name,
    service,
    lang: "node24",
    key: `v1:${name}`,
    image: `registry/alice/shop/${name}:0000001-v1`,
    deployment: { service, image: "later", labels: { "com.openfaas.scale.min": "1" } },
    specHash: "spec",
    handler: `./${name}`,
    buildArgs: {},
    copy: [],
  };
}

export function planOf(...functions: PlannedFunction[]): Plan {
  return { v: 1, functions };
}

/** Take the build to `deploying` with every artifact of its plan there. */
export function deployUp(
  ledger: Ledger,
  held: Claim,
  plan = planOf(plannedFunction("cart")),
): void {
  ledger.storePlan(held, plan, []);
  for (const { key, image } of plan.functions) {
    ledger.recordArtifact({
      ownerId: held.build.ownerId,
      key,
      digest: `sha256:${key}`,
      image,
      sizeBytes: 1,
      createdAt: 0,
    });
  }
  if (!ledger.beginDeploying(held)) throw new Error(`Build ${held.build.id} may not deploy`);
}

export function releaseDraft(service = "alice-cart", id = "release-1") {
  return {
    id,
    service,
    specHash: "spec",
    digest: "sha256:1",
    deployment: { service, image: `${service}@sha256:1`, labels: { a: "b" } },
  };
}
