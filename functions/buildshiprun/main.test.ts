import test from "ava";
import { clientFor, startFunction, writeSecrets } from "../../test/helpers/stand-alone.ts";
import { variablesInReadme, variablesOf } from "../../test/helpers/variables.ts";
import { readConfig } from "./config.ts";

test("as a process of its own it takes signed calls alone, and contexts of any size", async (t) => {
  const { url } = await startFunction(t, "buildshiprun", await writeSecrets(t));
  const chunk = new Uint8Array(1024 * 1024);
  const context = ReadableStream.from(Array.from({ length: 6 }, () => chunk));

  const unsigned = await fetch(`${url}buildshiprun`, { method: "POST", body: "" });
  const signed = await clientFor(url).call("buildshiprun", context, {
    contentKey: "v1:cart",
    headers: { "x-build-id": "none", "x-epoch": "1", "x-function": "cart" },
  });

  t.is(unsigned.status, 401);
  t.is(signed.status, 404);
  t.like(await signed.json(), { code: "no-such-build" });
});

test("the README lists every variable", async (t) => {
  t.deepEqual(await variablesInReadme("functions/buildshiprun"), variablesOf(readConfig));
});
