import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { readSources } from "./sources.ts";
import type { TestDocker } from "./start-docker.ts";

const project = join(import.meta.dirname, "../..");
/** What `FROM` and `COPY --from` of the templates node24 and bash name. */
const NODE = "node:24-alpine";
const OTHERS = ["bash:5.3", "ghcr.io/openfaas/classic-watchdog:0.3.3"];
/** Fork is the mode of the watchdog whose place it takes. */
const WATCHDOG = `#!/bin/sh
test -n "$mode" || export mode=fork
exec node --disable-warning=ExperimentalWarning /ofc/watchdog/main.ts
`;

/**
 * The images that the templates node24 and bash are built on, made of this machine's programs: one image
 * under each of their names. Its watchdog is our own, which takes the classic one's variables.
 */
export async function importTemplateBases(docker: TestDocker): Promise<void> {
  const sources = await readSources(["sdk/*.ts", "watchdog/*.ts"]);
  const files = {
    fwatchdog: WATCHDOG,
    "ofc/package.json": await readFile(join(project, "package.json"), "utf8"),
    ...Object.fromEntries(sources.map(({ file, text }) => [`ofc/${file}`, text])),
  };
  await docker.importBase(NODE, ["node", "npm", "bash"], files);
  for (const name of OTHERS) {
    const at = name.lastIndexOf(":");
    await docker.api.getImage(NODE).tag({ repo: name.slice(0, at), tag: name.slice(at + 1) });
  }
}
