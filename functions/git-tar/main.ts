import { join } from "node:path";
import { openLedger } from "#ledger/ledger.ts";
import { readEnv } from "#sdk/env.ts";
import { createGithubApps } from "#sdk/github-app.ts";
import { createReadHead } from "#sdk/read-head.ts";
import { standAlone, stopOnSignal } from "#sdk/stand-alone.ts";
import { readTemplates } from "#sdk/templates.ts";
import { readConfig } from "./config.ts";
import { createHandler } from "./handler.ts";
import { createOpenSource } from "./open-source.ts";

const { env, stderr } = process;
const place = await standAlone("git-tar", env, (line) => stderr.write(line));
const config = readConfig(env);
const read = readEnv(env);
const settings = read.done({
  baseUrl: read.url("github_api_url", "https://api.github.com/"),
  appId: read.text("github_app_id"),
  mirrors: read.text("mirrors_path", join(place.objectsPath, "..", "mirrors")),
  engine: read.text("engine", "process"),
});
const { baseUrl, appId } = settings;
const privateKey = await place.secret("private-key");
const apps = createGithubApps({ sources: [{ scm: "github", baseUrl, appId, privateKey }] });
const ledger = openLedger({ path: place.ledgerPath });
const openSource = createOpenSource({
  mirrors: settings.mirrors,
  origins: [new URL(config.githubUrl).origin],
  cloneUrlOf: ({ cloneUrl }) => cloneUrl,
  env,
  apps,
  readHead: createReadHead(apps),
  templates: await readTemplates(),
  dockerfile: false,
  defaults: config.defaults,
  plan: {
    // Images bring their own Node; a process of its own takes their bases by name.
    engine: {
      kind: settings.engine,
      base: settings.engine === "process" ? process.version : "",
    },
    platform: `${process.platform}/${process.arch}`,
    registry: config.registry,
  },
  log: place.log,
});
const worker = `git-tar-${process.pid}`;
const handler = createHandler({ ...config, ledger, gateway: place.gateway, openSource, worker });
stopOnSignal(await place.serve(handler), () => ledger.close());
