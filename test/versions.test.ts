import { request } from "node:http";
import test, { type ExecutionContext } from "ava";
import { type RunningPlatform, removeData, startPlatform } from "./helpers/platform.ts";
import { makeRepository, removeRepository, stackOf } from "./helpers/repository.ts";

test("each version answers at an address of its own, with its own environment, whatever serves", async (t) => {
  const { platform, push, ask } = await setUp(t);
  const [one, two, three] = [await push("one"), await push("two"), await push("three")];

  const listed = await platform.ofc("versions", "alice-cart");
  const answers = await Promise.all([one, two, three].map((sha) => ask(`alice-cart--${sha}`)));
  const pretty = await askHost(platform, "alice.localhost", `/cart--${one}/items`);

  t.deepEqual(answers.map(textOf), ["one ONE /", "two TWO /", "three THREE /"]);
  t.is(textOf(pretty), "one ONE /items");
  t.is(textOf(await ask("alice-cart")), "three THREE /");
  for (const sha of [one, two, three])
    t.regex(listed, new RegExp(`^${sha} .* ${platform.url}function/alice-cart--${sha}$`, "m"));
});

type Answer = { readonly status: number; readonly text: string };

function textOf({ text }: Answer): string {
  return text.replace(/ \d+$/, "");
}

async function setUp(t: ExecutionContext, env: Record<string, string> = {}) {
  t.timeout(240_000);
  const platform = await startPlatform({ env });
  const { dataFolder } = platform;
  t.teardown(() => removeData(dataFolder));
  t.teardown(() => platform.stop());
  const repository = await makeRepository();
  t.teardown(() => removeRepository(repository));
  const { url } = JSON.parse(await platform.ofc("token", "alice", "--json")) as { url: string };
  return {
    platform,
    /** A commit whose function answers the text, its environment, what it was asked and who answers. */
    async push(text: string): Promise<string> {
      const extra = `    environment:\n      loud: ${text.toUpperCase()}\n`;
      const sha = await repository.commit({
        "stack.yml": stackOf({ cart: { lang: "node24", extra } }),
        "cart/handler.js": `module.exports = async ({ path }, context) =>
          context.status(200).succeed(\`${text} \${process.env.loud} \${path} \${process.pid}\`);\n`,
      });
      const { output } = await repository.push(`${url}/shop.git`);
      t.regex(output, /live in /, output);
      return sha.slice(0, 7);
    },
    ask: (service: string, at: RunningPlatform = platform) =>
      askHost(at, "127.0.0.1", `/function/${service}`),
  };
}

/** Names below `localhost` are not everywhere resolved, so the host is said in the header alone. */
function askHost({ url }: RunningPlatform, host: string, path: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request(new URL(path, url), { headers: { host }, agent: false }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => (text += chunk));
      response.on("end", () => resolve({ status: response.statusCode ?? 0, text }));
    });
    sent.on("error", reject);
    sent.end();
  });
}
