import type { TestFn } from "ava";
import { createCheck, type EngineUnderTest } from "./contract/contract-kit.ts";
import { testDeploys } from "./contract/test-deploys.ts";
import { testEarlierSecrets } from "./contract/test-earlier-secrets.ts";
import { testFailures } from "./contract/test-failures.ts";
import { testLogsAndSecrets } from "./contract/test-logs-and-secrets.ts";
import { testReplicas } from "./contract/test-replicas.ts";
import { testSwitches } from "./contract/test-switches.ts";

/** Declare the tests that every engine must pass (design.md section 7). */
export function testEngine(test: TestFn, open: () => Promise<EngineUnderTest>): void {
  const check = createCheck(test, open);
  testDeploys(check);
  testFailures(check);
  testSwitches(check);
  testReplicas(check);
  testLogsAndSecrets(check);
  testEarlierSecrets(check);
}
