import { openLedger } from "#ledger/ledger.ts";
import { standAlone, stopOnSignal } from "#sdk/stand-alone.ts";
import { readConfig } from "./config.ts";
import { createCustomers } from "./customers.ts";
import { createHandler } from "./handler.ts";

const { env, stderr } = process;
const place = await standAlone("github-event", env, (line) => stderr.write(line));
const config = readConfig(env);
const webhookSecret = await place.secret("github-webhook-secret");
const ledger = openLedger({ path: place.ledgerPath });
const handler = createHandler({
  config,
  sources: [{ scm: "github", webhookSecret }],
  customers: createCustomers({ config }),
  ledger,
  gateway: place.gateway,
});
stopOnSignal(await place.serve(handler, { open: true }), () => ledger.close());
