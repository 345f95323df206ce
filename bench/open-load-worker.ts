import { once } from "node:events";
import { startLoad } from "../test/faults/load.ts";
import type { OpenLoadResult, OpenLoadSpec } from "./open-load.ts";

/** Asks until its parent says a word, then answers with what it saw. */
const { expect, ...spec } = JSON.parse(process.argv[2] ?? "") as OpenLoadSpec;
const load = startLoad({ ...spec, expect: new RegExp(expect) });
await once(process, "message");
const perSecond = await load.stop();
const { failures, latencies } = load;
const result: OpenLoadResult = { failures, latencies, perSecond };
process.send?.(result, () => process.exit());
