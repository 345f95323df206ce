import { labels } from "#sdk/labels.ts";
import { openOn } from "./test-kit.ts";

/**
 * A platform that deploys one release after another until it is killed: `release-host.ts <folder> <image>`
 * prints each fence once its deploy has resolved.
 */
const [folder = "", image = ""] = process.argv.slice(2);
const engine = await openOn(folder, { isolation: "none", graceMs: 0 });
await engine.ready();
const [item] = await engine.inventory();
for (let fence = (item?.current.fence ?? 0) + 100; ; fence++) {
  await engine.deploy({
    service: "fn",
    image,
    envVars: { version: String(fence) },
    labels: { [labels.release]: `r${fence}`, [labels.fence]: String(fence) },
  });
  process.stdout.write(`${fence}\n`);
}
