import { labels } from "#sdk/labels.ts";
import { silentLog } from "#sdk/log.ts";
import { openDockerEngine } from "./open-docker-engine.ts";
import { patientTimes } from "./test-kit.ts";

/**
 * A platform of its own for tests that kill it: `platform-host.ts <folder> <docker host> <image> <subnet>`
 * deploys one function, and prints its endpoint.
 */
const [dataFolder = "", dockerHost = "", image = "", subnet = ""] = process.argv.slice(2);
const engine = await openDockerEngine({
  dataFolder,
  dockerHost,
  log: silentLog,
  settings: { ...patientTimes, pull: "never", subnet },
});
await engine.createSecret({ name: "token", value: Buffer.from("old") });
await engine.deploy({
  service: "fn",
  image,
  secrets: ["token"],
  labels: { [labels.release]: "r1", [labels.fence]: "7" },
});
process.stdout.write(`${engine.endpoints()[0]?.endpoints[0]}\n`);
setInterval(() => {}, 1_000);
