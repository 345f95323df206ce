import { createHmac } from "node:crypto";
import { answerRequests } from "#sdk/answer.ts";
import { silentLog } from "#sdk/log.ts";
import { formatPushEvent, parsePushEvent } from "#sdk/push-event.ts";
import { readConfig } from "../../../functions/github-event/config.ts";
import { createCustomers } from "../../../functions/github-event/customers.ts";
import { createHandler } from "../../../functions/github-event/handler.ts";
import { decideBuild } from "../../../functions/github-push/decide-build.ts";
import { type Parser, promise } from "../parser.ts";

const SECRET = "the webhook secret";
const config = readConfig({ webhook_sha1: "true" });
/** What the delivery in hand has led to; inputs are read one after another. */
const effects: string[] = [];

/** github-event as it is, with a record and a gateway that keep nothing. */
const answer = answerRequests(
  createHandler({
    config,
    sources: [
      { scm: "github", webhookSecret: SECRET },
      { scm: "forge", webhookSecret: "another secret" },
    ],
    customers: createCustomers({ config }),
    ledger: {
      findDelivery: () => undefined,
      synced: async () => {},
      recordDelivery: ({ decision, reason }) => {
        promise(reason.length > 0, "every decision has a reason");
        effects.push(decision);
        return true;
      },
    },
    gateway: {
      async call(_name, body) {
        const push = parsePushEvent(String(body));
        promise(formatPushEvent(push) === body, "a push keeps its meaning on its way");
        const decision = decideBuild(push, "");
        effects.push(decision.build ? "build" : "skip");
        return Response.json({}, { status: decision.build ? 202 : 200 });
      },
      async queue(name) {
        effects.push(name);
      },
    },
  }),
  silentLog,
);

/** Header lines, an empty line, the body. It is signed here unless the headers hold a signature. */
export const webhook: Parser = {
  dictionary: [
    ..."x-github-event: |x-github-delivery: |x-hub-signature-256: sha256=|x-hub-signature: sha1=".split(
      "|",
    ),
    ..."push|ping|installation|installation_repositories|repository|removed|deleted|transferred".split(
      "|",
    ),
    "content-type: application/x-www-form-urlencoded\n",
    "payload=",
    ...'"ref":|"after":|"deleted":true|"repository":|"owner":|"installation":|"account":|"changes":|"repositories_removed":'.split(
      "|",
    ),
    ...'"__proto__":|"constructor":|"toString":|"id":1|"login":"a"|"full_name":"a/b"|"name":".."'.split(
      "|",
    ),
    ..."refs/heads/|refs/tags/|@{|..|.lock|--upload-pack=x|ext::sh|file:///|https://a:b@c/".split(
      "|",
    ),
    "0".repeat(40),
    ...'{|}|[|]|null|true|-1|1e999|9007199254740993|"\\u0000"|\\ud800|\n\n'.split("|"),
  ],
  async read(input) {
    const { headers, body } = split(input);
    const isSigned = headers.has("x-hub-signature-256") || headers.has("x-hub-signature");
    if (!isSigned) headers.set("x-hub-signature-256", sign(body));
    effects.length = 0;

    const response = await answer(
      new Request("http://gateway/github-event", { method: "POST", headers, body }),
    );

    promise(response.status < 500, `a delivery is never answered ${response.status}`);
    const said = await response.text();
    promise(said.length < 4_096, "an answer stays short");
    if (isSigned && headers.get("x-hub-signature-256") !== sign(body))
      promise(
        effects.length === 0 || headers.has("x-hub-signature"),
        "a forged delivery leaves nothing",
      );
    return `${response.status} ${effects.join(" ")}`;
  },
};

function sign(body: Uint8Array): string {
  return `sha256=${createHmac("sha256", SECRET).update(body).digest("hex")}`;
}

function split(input: Buffer): { headers: Headers; body: Buffer<ArrayBuffer> } {
  const end = input.indexOf("\n\n");
  const headers = new Headers();
  for (const line of input.toString("latin1", 0, Math.max(end, 0)).split("\n")) {
    const colon = line.indexOf(":");
    try {
      headers.append(line.slice(0, colon), line.slice(colon + 1).trim());
    } catch {
      // HTTP carries no such header.
    }
  }
  return { headers, body: Buffer.from(input.subarray(end < 0 ? 0 : end + 2)) };
}
