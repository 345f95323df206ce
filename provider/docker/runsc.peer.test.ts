import test from "ava";
import { buildGoProgram, GO_BUILD_MS, goMissing } from "../../test/helpers/go-program.ts";
import { dockerMissing, startDocker } from "../../test/helpers/start-docker.ts";
import { call, contractTimes } from "../contract/contract-kit.ts";
import { testEngine } from "../engine.contract.ts";
import { openUnderTest, shareDocker } from "./test-kit.ts";

/** Debian's, of 2022, cannot tell its network namespace from the machine's on kernels of today. */
const RUNSC = {
  name: "runsc",
  package: "gvisor.dev/gvisor/runsc",
  version: "v0.0.0-20260905035102-160fafc42237",
};
const missing = dockerMissing ?? goMissing;

if (missing === undefined) {
  const { docker, image } = shareDocker(
    test,
    async (context) => {
      const path = await buildGoProgram(RUNSC);
      return startDocker(context, { config: { runtimes: { runsc: { path } } } });
    },
    GO_BUILD_MS,
  );
  const settings = {
    ...contractTimes,
    ociRuntime: "runsc",
    healthDeadlineMs: 60_000,
    keepRunning: false,
    memoryLeastBytes: 256 * 1024 * 1024,
  };
  testEngine(test, () => openUnderTest(docker(), image(), settings));

  test("a function sees gVisor's kernel and not this machine's", async (t) => {
    const { engine, dispose } = await openUnderTest(docker(), image(), settings);
    t.teardown(dispose);
    await engine.deploy({ service: "fn", image: image() });

    const version = await call(engine, "fn", "/read?path=/proc/version");

    t.regex(version, /gvisor/);
  });
} else test.skip(`functions in gVisor are not tested: ${missing}`, () => {});
