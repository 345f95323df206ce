import { openLedger } from "#ledger/ledger.ts";
import { standAlone, stopOnSignal } from "#sdk/stand-alone.ts";
import { createHandler } from "./handler.ts";

const { env, stderr } = process;
const place = await standAlone("list-functions", env, (line) => stderr.write(line));
const ledger = openLedger({ path: place.ledgerPath });
const handler = createHandler({ ledger, gateway: place.gateway });
stopOnSignal(await place.serve(handler), () => ledger.close());
