import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import test from "ava";
import { type RunningPlatform, removeData, startPlatform } from "../helpers/platform.ts";
import { call, cartOf, openRepository, STRANGERS } from "./set-up.ts";

let platform: RunningPlatform;

test.before(async () => {
  platform = await startPlatform({ env: STRANGERS });
});

test.after.always(async () => {
  await platform.stop();
  await removeData(platform.dataFolder);
});

const good = cartOf("one")["stack.yml"] ?? "";

/** What the pusher reads about a stack file. */
const REFUSED: readonly (readonly [what: string, stack: string, said: RegExp])[] = [
  ["a YAML bomb", bomb(), /Excessive alias count|holds more than/],
  ["a tag", "a: !!js/function x\n", /holds the tag "!!js\/function"; tags are not read/],
  ["a key twice", `${good}functions: {}\n`, /holds the key "functions" twice/],
  ["tabs", "functions:\n\tcart: x\n", /is not readable YAML/],
  ["10 MB", `#${"x".repeat(10_000_000)}\n${good}`, /has 10000\d+ bytes; at most 524288 are read/],
  ["no map", "- a\n", /is not a map of fields/],
  ["a name that climbs", good.replace("cart:", "'../cart':"), /function "\.\.\/cart": a name is/],
  ["a name in Unicode", good.replace("cart:", "cаrt:"), /a name is lower-case letters/],
  ["a name that is too long", good.replace("cart:", `${"c".repeat(60)}:`), /at most 54 fit/],
  ["a handler outside", good.replace("./cart", "/etc"), /must be a folder inside the repository/],
  [
    "the file of another place",
    `${good}    environment_file: [../../x]\n`,
    /must be a file inside/,
  ],
  [
    "a loader's variable",
    `${good}    environment: {LD_PRELOAD: x}\n`,
    /decides what a program loads/,
  ],
  [
    "a cron that never runs",
    `${good}    annotations: {schedule: "61 * * * *"}\n`,
    /five cron fields/,
  ],
];

test.serial(
  "each stack file that breaks a rule is refused with the rule, and what served goes on",
  async (t) => {
    t.timeout(10 * 60_000);
    const { repository, url } = await openRepository(t, platform, "rules", cartOf("one"));
    await repository.push(url);

    for (const [what, stack, said] of REFUSED) {
      await writeFile(join(repository.folder, "stack.yml"), stack);
      await repository.commit({}, what);
      const { output } = await repository.push(url);
      t.regex(output, said, what);
      t.notRegex(output, /live in /, what);
    }

    t.is(await call(platform, "rules-cart"), "one");
  },
);

test.serial(
  "what reaches for the host or for another tenant is left out, and the pusher is told",
  async (t) => {
    const extra = [
      "namespace: openfaas-system",
      "constraints: [node.role == manager]",
      "limits: {memory: 1e9Gi, cpu: NaN}",
      "network: host",
      "labels: {com.openfaas.scale.max: '1000000', com.openfaas.cloud.git-owner: alice}",
      "annotations: {com.openfaas.cloud.git-owner-id: '1'}",
      "build_args: {http_proxy: 'http://169.254.169.254/'}",
    ].map((line) => `    ${line}\n`);
    const files = {
      ...cartOf("one"),
      "stack.yml": good.replace("cart:latest", "alice/private:latest") + extra.join(""),
    };
    const { repository, url } = await openRepository(t, platform, "reacher", files);

    const { output } = await repository.push(url);

    t.regex(output, /live in /);
    t.is(output.match(/note: /g)?.length, 8, output);
    const functions = (await (await administer("functions")).json()) as {
      readonly name: string;
      readonly image: string;
    }[];
    t.regex(
      functions.find(({ name }) => name === "reacher-cart")?.image ?? "",
      /\/reacher\/shop\//,
    );
  },
);

test.serial(
  "two owners whose names meet in one function's name: the first keeps it, the second is told",
  async (t) => {
    const first = await openRepository(t, platform, "pre-fix", cartOf("first"));
    const second = await openRepository(t, platform, "pre", {
      "stack.yml": good.replace("cart:", "fix-cart:"),
      "cart/handler.sh": "#!/bin/bash\necho second\n",
    });
    await first.repository.push(first.url);

    const { output } = await second.repository.push(second.url);

    t.regex(output, /pre-fix-cart/);
    t.notRegex(output, /live in /);
    t.is(await call(platform, "pre-fix-cart"), "first");
  },
);

test.serial("no owner reads a secret that may be another's", async (t) => {
  const withSecret = (name: string) => ({
    "stack.yml": `${good}    secrets: [${name}]\n`,
    "cart/handler.sh": "#!/bin/bash\ncat /var/openfaas/secrets/* 2>&1\n",
  });
  const victim = await openRepository(t, platform, "al-ice", cartOf("here"));
  await victim.repository.push(victim.url);
  const secret = JSON.stringify({ name: "al-ice-db", value: "the victim's" });
  t.is((await administer("secrets", { method: "POST", body: secret })).status, 202);
  const thief = await openRepository(t, platform, "al", withSecret("ice-db"));

  const { output } = await thief.repository.push(thief.url);

  t.regex(output, /"al-ice-db" may be another owner's; choose another name/);
  t.notRegex(await call(platform, "al-cart"), /the victim's/);
});

/** A call of `/system` as the operator. */
async function administer(path: string, init: RequestInit = {}): Promise<Response> {
  const password = await readFile(join(platform.dataFolder, "secrets/basic-auth-password"), "utf8");
  const authorization = `Basic ${Buffer.from(`admin:${password.trim()}`).toString("base64")}`;
  return fetch(new URL(`system/${path}`, platform.url), { ...init, headers: { authorization } });
}

function bomb(): string {
  const lines = Array.from(
    { length: 9 },
    (_, i) => `l${i + 1}: &l${i + 1} [${`*l${i}, `.repeat(9)}]`,
  );
  return `${["l0: &l0 x", ...lines].join("\n")}\n`;
}
