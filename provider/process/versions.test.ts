import test from "ava";
import { testVersions } from "../version.contract.ts";
import { openUnderTest } from "./test-kit.ts";

testVersions(test, openUnderTest);
