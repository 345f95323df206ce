import test from "ava";
import { readOwnerQuotas, refuseArtifacts, refuseFunctions } from "./owner-quotas.ts";

const quotas = readOwnerQuotas({});

test("an owner has 100 functions and 2 GiB of artefacts unless a setting says otherwise", (t) => {
  t.deepEqual(quotas, { functions: 100, artifactBytes: 2 * 1_024 ** 3 });
  t.deepEqual(readOwnerQuotas({ owner_functions: "3", owner_artifacts_mib: "1" }), {
    functions: 3,
    artifactBytes: 1_024 ** 2,
  });
});

test("functions of all repositories count, up to the limit itself", (t) => {
  t.is(refuseFunctions("alice", 40, 60, quotas), undefined);
  t.is(
    refuseFunctions("alice", 41, 60, quotas),
    "functions: 41 here and 60 in alice's other repositories; an owner may have 100 (owner_functions)",
  );
});

test("an owner whose artefacts fill the quota builds nothing more", (t) => {
  t.is(refuseArtifacts("alice", quotas.artifactBytes - 1, quotas), undefined);
  t.is(
    refuseArtifacts("alice", 2.5 * 1_024 ** 3, quotas),
    "alice's artefacts take 2.5 GiB; an owner may have 2 GiB (owner_artifacts_mib). Remove functions or packages",
  );
});

test("a refusal fits into a commit's status with the longest login", (t) => {
  const login = "a".repeat(39);
  const reasons = [
    refuseFunctions(login, 50, 100, quotas),
    refuseArtifacts(login, 2.5 * 1_024 ** 3, quotas),
  ];

  for (const reason of reasons) t.true((reason ?? "").length <= 145, reason);
});
