/**
 * The writes of the ledger protocol that the driver's work passes (design.md section 6), in the order of a
 * push's life. Each is a place to die before its commit and after it, and one to find the disk full.
 */
export const WRITES = [
  "voidLeases",
  "acceptPush",
  "recordDelivery",
  "recordRepository",
  "acceptManually",
  "claimBuild",
  "renewClaim",
  "addEvent",
  "storePlan",
  "setState",
  "recordArtifact",
  "beginDeploying",
  "declareRelease",
  "markRelease",
  "declareRollback",
  "recordSwitchBack",
  "removeFunction",
  "endBuild",
  "releaseClaim",
  "cancelBuild",
  "wantStatus",
  "markSent",
  "markUnsent",
  "recordAudit",
  "prune",
] as const;

/** `acceptPush:before`, `acceptPush:after`, … */
export const FAULT_POINTS: readonly string[] = WRITES.flatMap((write) => [
  `${write}:before`,
  `${write}:after`,
]);
