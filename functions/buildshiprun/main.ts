import { openLedger } from "#ledger/ledger.ts";
import { standAlone, stopOnSignal } from "#sdk/stand-alone.ts";
import { readConfig } from "./config.ts";
import { createHandler } from "./handler.ts";

const { env, stderr } = process;
const place = await standAlone("buildshiprun", env, (line) => stderr.write(line));
const { builderUrl, payloadKeyId } = readConfig(env);
const key = { id: payloadKeyId, secret: await place.secret("payload-secret") };
const ledger = openLedger({ path: place.ledgerPath });
const { gateway } = place;
const handler = createHandler({ ledger, gateway, builderUrl, fetch, key, now: Date.now });
stopOnSignal(await place.serve(handler), () => ledger.close());
