import { openLedger } from "#ledger/ledger.ts";
import { standAlone, stopOnSignal } from "#sdk/stand-alone.ts";
import { readConfig } from "./config.ts";
import { createHandler } from "./handler.ts";

const { env, stderr } = process;
const place = await standAlone("github-push", env, (line) => stderr.write(line));
const config = readConfig(env);
const ledger = openLedger({ path: place.ledgerPath });
const handler = createHandler({ config, ledger, gateway: place.gateway });
stopOnSignal(await place.serve(handler), () => ledger.close());
