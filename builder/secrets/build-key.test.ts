import { randomBytes } from "node:crypto";
import test from "ava";
import { HttpError } from "#sdk/errors.ts";
import { readBuildKey } from "./build-key.ts";
import { sealSecrets, VECTOR } from "./test-seal.ts";

const key = readBuildKey(VECTOR.key);

function open(envelope: string): Record<string, string> {
  const opened = [...key.open(Buffer.from(envelope))];
  return Object.fromEntries(opened.map(([id, value]) => [id, Buffer.from(value).toString()]));
}

test("what faas-cli sealed opens, and its key is told as faas-cli reads it", (t) => {
  t.deepEqual(open(VECTOR.envelope), VECTOR.opened);
  t.deepEqual(key.publicKey, {
    key_id: "yifVoe0l",
    algorithm: "nacl/box",
    public_key: "yifVoe0l/HF0Yk2xd5O2Jp0oz6rSd0TOmIzqa7y3oE8=",
  });
});

test("bytes that are no text, and nothing at all, come out as they were sealed", (t) => {
  const bytes = randomBytes(400_000);

  const opened = key.open(Buffer.from(sealSecrets({ "logo.png": bytes, empty: "" })));

  t.true(bytes.equals(opened.get("logo.png") ?? Buffer.alloc(0)));
  t.is(opened.get("empty")?.length, 0);
});

const other = readBuildKey(randomBytes(32).toString("base64")).publicKey;
const changedBox = VECTOR.envelope.replace("pip_token: kmZ", "pip_token: kmY");
for (const [what, envelope, reason] of [
  [
    "another builder's key",
    sealSecrets({ a: "tea" }, {}, other),
    /is sealed for the key "[^"]{8}", this builder has yifVoe0l: take GET \/publickey/,
  ],
  [
    "another key under this one's id",
    sealSecrets({ a: "tea" }, { key_id: "yifVoe0l" }, other),
    /does not open at "a": it was changed, or sealed for another key/,
  ],
  [
    "another algorithm",
    sealSecrets({ a: "tea" }, { algorithm: "aes-gcm" }),
    /algorithm: .*"nacl\/box"/,
  ],
  ["another version", sealSecrets({ a: "tea" }, { version: "v2" }), /version: .*"v1"/],
  ["a changed box", changedBox, /does not open at "pip_token"/],
  ["a box cut short", sealSecrets({}, { secrets: { a: "AAAA" } }), /does not open at "a"/],
  ["a box that is no base64", sealSecrets({}, { secrets: { a: "!" } }), /does not open at "a"/],
  ["a sender's key of 3 bytes", sealSecrets({ a: "" }, { public_key: "AAAA" }), /public_key/],
  ["an id that is a path", sealSecrets({ "../a": "tea" }), /an id that is not up to 128/],
  ["a value that is too large", sealSecrets({ a: randomBytes(600_000) }), /600000 bytes as "a"/],
  ["no secrets at all", sealSecrets({}, { secrets: undefined }), /secrets/],
  ["aliases", `a: &a [x]\nb: [*a, *a]\n${VECTOR.envelope}`, /is not YAML/],
  ["text that is no YAML", "{{tea", /is not YAML/],
  ["nothing in it", "", /is not usable/],
] as const)
  test(`an envelope with ${what} is refused with a sentence, and nothing of it`, (t) => {
    const error = t.throws(() => open(envelope), { instanceOf: HttpError, message: reason });

    t.like(error, { status: 422, code: "bad-secrets" });
    t.regex(error?.message ?? "", /^com\.openfaas\.secrets .*\.$/s);
    t.false(/tea|kmY/.test(error?.message ?? ""));
  });

test("a build key of another length, or that is no base64, stops the start", (t) => {
  for (const secret of ["", "AAAA", "x".repeat(44), randomBytes(64).toString("base64")])
    t.throws(() => readBuildKey(secret), { message: /not base64 of 32 bytes/ });
});
