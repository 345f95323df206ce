import test from "ava";
import { contractTimes, testEngine } from "../engine.contract.ts";
import { openUnderTest } from "./test-kit.ts";

testEngine(test, () => openUnderTest(contractTimes));
