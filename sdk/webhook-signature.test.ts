import { createHmac } from "node:crypto";
import test from "ava";
import fc from "fast-check";
import { HttpError } from "./errors.ts";
import { signWebhook, verifyWebhook } from "./webhook-signature.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const body = bytes("Hello, World!");
const secret = "It's a Secret to Everybody";
/** docs.github.com, "Validating webhook deliveries", section "Testing the webhook payload validation". */
const documented = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";

test("the documented example is signed and verified", (t) => {
  t.is(signWebhook(body, secret), documented);
  t.notThrows(() => verifyWebhook(body, documented, secret));
});

test("RFC 4231's second vector is signed alike", (t) => {
  t.is(
    signWebhook(bytes("what do ya want for nothing?"), "Jefe"),
    "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
  );
});

const sha1 = `sha1=${createHmac("sha1", secret).update(body).digest("hex")}`;

for (const [what, header] of [
  ["no header", null],
  ["an empty header", ""],
  ["a truncated digest", documented.slice(0, -1)],
  ["a digest and more", `${documented}0`],
  ["an upper-case digest", documented.toUpperCase().replace("SHA256", "sha256")],
  ["an upper-case scheme", documented.replace("sha256", "SHA256")],
  ["a SHA-1 signature", sha1],
  ["SHA-1 under the name of SHA-256", sha1.replace("sha1", "sha256").padEnd(71, "0")],
  ["two signatures", `${documented}, ${documented}`],
  ["a line end after it", `${documented}\n`],
  ["the digest of another body", signWebhook(bytes("Hello, World?"), secret)],
  ["another secret's digest", signWebhook(body, `${secret} `)],
] as const) {
  test(`${what} is refused with 401`, (t) => {
    const error = t.throws(() => verifyWebhook(body, header, secret), { instanceOf: HttpError });

    t.like(error, { status: 401, code: "bad-signature" });
    t.false(error?.message.includes(signWebhook(body, secret).slice(7)));
  });
}

test("an empty secret verifies nothing, not even its own signature, and blames the platform", (t) => {
  const error = t.throws(() => verifyWebhook(body, signWebhook(body, ""), ""));

  t.false(error instanceof HttpError);
  t.regex(error?.message ?? "", /secret is empty/);
});

test("verifying takes exactly what signing made: not another body, secret or header", (t) => {
  const text = fc.uint8Array({ maxLength: 200 });
  const word = fc.string({ minLength: 1 });

  fc.assert(
    fc.property(text, text, word, word, word, (one, other, key, otherKey, header) => {
      const signature = signWebhook(one, key);
      const takes = (body: Uint8Array, given: string, with_: string) => {
        try {
          verifyWebhook(body, given, with_);
          return true;
        } catch (error) {
          if (error instanceof HttpError && error.status === 401) return false;
          throw error;
        }
      };
      t.true(takes(one, signature, key));
      t.is(takes(other, signature, key), Buffer.compare(one, other) === 0);
      t.is(takes(one, signature, otherKey), key === otherKey);
      t.is(takes(one, header, key), header === signature);
    }),
  );
});
