import test from "ava";
import { dockerMissing, startDocker } from "../../test/helpers/start-docker.ts";
import { testVersions } from "../version.contract.ts";
import { openUnderTest, patientTimes, shareDocker } from "./test-kit.ts";

if (dockerMissing === undefined) {
  const { docker, image } = shareDocker(test, startDocker);
  testVersions(test, () => openUnderTest(docker(), image(), patientTimes));
} else test.skip(`versions are not tested on docker: ${dockerMissing}`, () => {});
