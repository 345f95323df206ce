import test from "ava";
import { contractTimes } from "../contract/contract-kit.ts";
import { testEngine } from "../engine.contract.ts";
import { openUnderTest } from "./test-kit.ts";

testEngine(test, () => openUnderTest(contractTimes));
