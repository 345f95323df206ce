import { openLedger } from "#ledger/ledger.ts";
import { createFileObjects } from "#sdk/object-store.ts";
import { standAlone, stopOnSignal } from "#sdk/stand-alone.ts";
import { createHandler } from "./handler.ts";

const { env, stderr } = process;
const place = await standAlone("garbage-collect", env, (line) => stderr.write(line));
const ledger = openLedger({ path: place.ledgerPath });
const objects = createFileObjects(place.objectsPath);
const handler = createHandler({ ledger, gateway: place.gateway, objects });
stopOnSignal(await place.serve(handler), () => ledger.close());
