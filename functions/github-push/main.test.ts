import { once } from "node:events";
import { join } from "node:path";
import test from "ava";
import { openLedger } from "#ledger/ledger.ts";
import { commitSha, pushBody } from "../../test/helpers/push-delivery.ts";
import { clientFor, startFunction, writeSecrets } from "../../test/helpers/stand-alone.ts";

test("a push that was answered 202 survives kill -9, and its redelivery makes no second build", async (t) => {
  const folder = await writeSecrets(t);
  const deliver = async (url: string) => {
    const query = "?scm=github&delivery=d-1";
    const response = await clientFor(url).call("github-push", JSON.stringify(pushBody()), {
      query,
    });
    return { status: response.status, body: await response.json() };
  };

  const first = await startFunction(t, "github-push", folder);
  const answer = await deliver(first.url);
  const gone = once(first.child, "exit");
  first.child.kill("SIGKILL");
  await gone;
  const second = await startFunction(t, "github-push", folder);
  const again = await deliver(second.url);

  t.is(answer.status, 202);
  t.deepEqual(again, answer);
  const ledger = openLedger({ path: join(folder, "ledger.db") });
  t.teardown(() => ledger.close());
  t.is(ledger.listBuilds({ limit: 10 }).length, 1);
  t.like(ledger.listUnleased()[0], { sha: commitSha(1), state: "accepted" });
  t.like(ledger.listUnsent(Date.now())[0], { state: "pending", context: "stack-deploy" });
});
