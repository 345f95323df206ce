import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import test from "ava";
import { createLog } from "#sdk/log.ts";
import { dockerMissing, startDocker } from "../test/helpers/start-docker.ts";
import { BASE, runIn, shareBuildkit } from "./buildkit/test-buildkit.ts";
import { logOf, packImage, startImageBuilder } from "./image/test-image-builder.ts";
import { sealSecrets, VECTOR } from "./secrets/test-seal.ts";
import { type Entries, faasCliRequest, parseLines, signedRequest } from "./test-builder.ts";

const { dockerTest, setUp } = shareBuildkit(test, "build secrets are not tested", {
  missing: dockerMissing,
  start: startDocker,
});

/** A build as faas-cli sends it: the envelope is appended last. */
function packSealed(files: Entries, envelope: string) {
  return packImage(files, { ownerId: undefined }, { "com.openfaas.secrets": envelope });
}

dockerTest("a step reads the secrets that faas-cli sealed, by their names", async (t) => {
  const there = await setUp();
  const { answer } = await startImageBuilder(t, there.address);
  const Dockerfile = `FROM ${BASE}
RUN --mount=type=secret,id=npm_token --mount=type=secret,id=pip_token,target=/pip \\
  test "$(cat /run/secrets/npm_token) $(cat /pip)" = "tok123 s3cr3t"
`;

  const response = await answer(faasCliRequest(await packSealed({ Dockerfile }, VECTOR.envelope)));

  const last = parseLines(await response.text()).at(-1);
  t.is(last?.status, "success", last?.error);
  const key = await answer(new Request("http://builder/publickey"));
  t.deepEqual(await key.json(), {
    key_id: "yifVoe0l",
    algorithm: "nacl/box",
    public_key: "yifVoe0l/HF0Yk2xd5O2Jp0oz6rSd0TOmIzqa7y3oE8=",
  });
});

dockerTest(
  "a secret is in no log, whatever form a step prints it in, nor in the image or its history",
  async (t) => {
    const there = await setUp();
    const said: string[] = [];
    const log = createLog((line) => said.push(line));
    const { answer, leftWork } = await startImageBuilder(t, there.address, { log });
    const secret = "canary/7f+3 & tea";
    const mount = "RUN --mount=type=secret,id=token,target=/s";
    const printing = `${mount} echo "plain $(cat /s)"; echo "base64 $(base64 /s)"; \\
  echo "url $(sed -e 's,/,%2F,g; s/+/%2B/g; s/ /%20/g; s/&/%26/g' /s)"; \\
  echo "long $(head -c 5000 /dev/zero | tr '\\0' x)$(cat /s)"; wc -c < /s > /length`;
    const send = async (Dockerfile: string) => {
      const tar = await packSealed({ Dockerfile }, sealSecrets({ token: secret }));
      return (await answer(faasCliRequest(tar))).text();
    };

    const failed = await send(`FROM ${BASE}\n${mount} echo "last $(cat /s)" >&2; exit 3\n`);
    const built = await send(`FROM ${BASE}\n${printing}\n`);

    const lines = parseLines(built);
    t.is(lines.at(-1)?.status, "success", lines.at(-1)?.error);
    t.regex(logOf(lines), /\nplain \*\*\*\nbase64 \*\*\*.{0,4}\nurl \*\*\*\n.*x\*\*\*(\n|$)/s);
    t.regex(logOf(parseLines(failed)), /\nlast \*\*\*(\n|$)/);
    t.true(said.some((line) => line.includes("build-failed")));
    const { digest = "" } = lines.at(-1) ?? {};
    t.is(await runIn(there, digest, "cat", "/length"), `${secret.length}\n`);
    const image = there.docker.api.getImage(digest);
    const saved = (await buffer(Readable.from(await image.get()))).toString("latin1");
    const records = JSON.stringify([await image.history(), await image.inspect()]);
    for (const form of [
      secret,
      "canary",
      Buffer.from("canary/7f+3").toString("base64").slice(0, 12),
    ])
      for (const text of [failed, built, said.join(""), saved, records])
        t.false(text.includes(form), form);
    t.deepEqual(await leftWork(), []);
  },
);

for (const [what, envelope, reason] of [
  ["another builder", VECTOR.envelope.replaceAll("yifVoe0l", "AAAAAAAA"), /take GET \/publickey/],
  ["another algorithm", VECTOR.envelope.replace("nacl/box", "aes"), /"nacl\/box"/],
  ["somebody who changed it", VECTOR.envelope.replace("Wg==", "WA=="), /was changed/],
] as const)
  dockerTest(`an envelope of ${what} fails the build before a step runs`, async (t) => {
    const there = await setUp();
    const { answer } = await startImageBuilder(t, there.address);
    const Dockerfile = `FROM ${BASE}\nRUN echo begun\n`;

    const response = await answer(faasCliRequest(await packSealed({ Dockerfile }, envelope)));

    const lines = parseLines(await response.text());
    t.is(lines.at(-1)?.status, "failed");
    t.regex(lines.at(-1)?.error ?? "", reason);
    t.is(lines.at(-1)?.retryable, undefined);
    t.notRegex(logOf(lines), /^begun$/m);
  });

dockerTest("an owner's build has no build secrets, whoever sealed them", async (t) => {
  const there = await setUp();
  const { answer } = await startImageBuilder(t, there.address);
  const tar = await packSealed({ Dockerfile: `FROM ${BASE}\n` }, VECTOR.envelope);

  const response = await answer(signedRequest(tar));

  t.regex(parseLines(await response.text()).at(-1)?.error ?? "", /is for builds of faas-cli/);
});
