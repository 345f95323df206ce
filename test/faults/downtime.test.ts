import test from "ava";
import { testDowntime } from "./downtime-cases.ts";

testDowntime(test, { name: "process", openPlatform: async () => ({ engine: "process" }) });
