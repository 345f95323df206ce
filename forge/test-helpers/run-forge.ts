import { answerRequests } from "#sdk/answer.ts";
import { silentLog } from "#sdk/log.ts";
import { serve } from "#sdk/serve.ts";
import { openForge } from "../open-forge.ts";
import { readForgeSettings } from "../settings.ts";

/** A forge in a process of its own, to be killed: `run-forge.ts <data folder> <webhook URL> <secret> <public key>`. */
const [dataFolder = "", webhookUrl = "", webhookSecret = "", appPublicKeyPem = ""] =
  process.argv.slice(2);
const forge = await openForge({
  dataFolder,
  publicUrl: "http://127.0.0.1/",
  webhookUrl,
  webhookSecret,
  appId: 1,
  appPublicKeyPem,
  async *followBuild(_key, signal) {
    await new Promise((resolve) => signal.addEventListener("abort", resolve));
  },
  settings: readForgeSettings({ forge_retry: "20ms" }),
  log: silentLog,
});
const server = await serve(answerRequests(forge.handler, silentLog), {
  port: 0,
  hostname: "127.0.0.1",
});
await forge.start();
process.send?.({ url: server.url, token: forge.createToken("alice").token });
