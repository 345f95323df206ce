import test from "ava";
import { dockerMissing, startDocker } from "../../test/helpers/start-docker.ts";
import { contractTimes } from "../contract/contract-kit.ts";
import { testEngine } from "../engine.contract.ts";
import { openUnderTest, shareDocker } from "./test-kit.ts";

if (dockerMissing === undefined) {
  const { docker, image } = shareDocker(test, startDocker);
  const settings = {
    ...contractTimes,
    // A machine that is busy with other tests takes seconds to start a container.
    healthDeadlineMs: 25_000,
    keepRunning: false,
    // A program of 5 Mi, as the suite asks for, is none that runs Node.
    memoryLeastBytes: 128 * 1024 * 1024,
  };
  testEngine(test, () => openUnderTest(docker(), image(), settings));
} else test.skip(`the docker engine is not tested: ${dockerMissing}`, () => {});
