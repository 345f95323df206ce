import test from "ava";
import { setUpForge } from "./test-helpers/set-up-forge.ts";

test("a first push makes the repository, delivers a webhook and tells the pusher how it ends", async (t) => {
  const forge = await setUpForge(t);
  const tree = await forge.workTree();

  const pushed = await forge.git(["push", forge.pushUrl("alice", "shop"), "main"], tree);

  t.is(pushed.code, 0, pushed.output);
  t.regex(pushed.output, /remote: live in 0\.01 s/);
  const [webhook] = await forge.webhooks(1);
  t.is(webhook?.push.repository.full_name, "alice/shop");
});
