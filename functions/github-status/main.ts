import { openLedger } from "#ledger/ledger.ts";
import { readEnv } from "#sdk/env.ts";
import { createGithubApps } from "#sdk/github-app.ts";
import { standAlone, stopOnSignal } from "#sdk/stand-alone.ts";
import { readConfig } from "./config.ts";
import { createGithubStatus } from "./handler.ts";

const { env, stderr } = process;
const place = await standAlone("github-status", env, (line) => stderr.write(line));
const read = readEnv(env);
const source = read.done({
  scm: "github",
  baseUrl: read.url("github_api_url", "https://api.github.com/"),
  appId: read.text("github_app_id"),
  privateKey: await place.secret("private-key"),
});
const ledger = openLedger({ path: place.ledgerPath });
const status = createGithubStatus({
  config: readConfig(env),
  ledger,
  apps: createGithubApps({ sources: [source] }),
  gateway: place.gateway,
});
stopOnSignal(await place.serve(status.handler), () => ledger.close());
await status.correctAtBoot(place.log);
