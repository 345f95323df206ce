import { openOn } from "./test-kit.ts";

/**
 * A platform of its own for tests that kill it: `engine-host.ts <folder> <image> <auto|none> <mark>`
 * deploys one function whose environment holds the mark, prints its isolation and endpoint as one JSON
 * line, and stays.
 */
const [folder = "", image = "", isolation, mark = ""] = process.argv.slice(2);
const engine = await openOn(folder, { isolation: isolation === "none" ? "none" : "auto" });
await engine.createSecret({ name: "token", value: Buffer.from("its value") });
await engine.deploy({ service: "fn", image, secrets: ["token"], envVars: { mark } });
const [endpoint] = engine.endpoints()[0]?.endpoints ?? [];
process.stdout.write(`${JSON.stringify({ isolation: engine.isolation, endpoint })}\n`);
setInterval(() => {}, 1_000);
