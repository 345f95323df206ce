import { createHmac } from "node:crypto";
import test from "ava";
import fc from "fast-check";
import { HttpError } from "./errors.ts";
import {
  contentKeyOf,
  createNonceMemory,
  SIGNATURE_WINDOW_MS,
  type SignedCall,
  signCall,
  verifyCall,
  verifyContent,
} from "./internal-signature.ts";

const key = { id: "k1", secret: "payload secret" };
const NOW = Date.UTC(2026, 0, 1);

type Parts = {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
};

const parts: Parts = {
  method: "POST",
  path: "/function/git-tar.openfaas-system?build=7",
  headers: {
    "x-content-key": contentKeyOf("{}"),
    "x-owner-id": "forge:1",
    "x-callback-url": "http://127.0.0.1:8080/function/alice-done",
  },
};

/** The call with its signature, as it is sent. */
function signed({ method, path, headers }: Parts = parts, with_ = key): Parts {
  const signature = signCall({ method, path, headers: new Headers(headers) }, with_, NOW);
  return { method, path, headers: { ...headers, "x-cloud-signature": signature } };
}

const received = ({ method, path, headers }: Parts): SignedCall => ({
  method,
  path,
  headers: new Headers(headers),
});

const verify = (call: Parts, now = NOW, keys = [key], nonces = createNonceMemory()) =>
  verifyCall(received(call), keys, nonces, now);

test("a signed call verifies, whatever else its headers hold", (t) => {
  const { headers, ...call } = signed();

  t.notThrows(() => verify({ ...call, headers: { ...headers, "x-call-id": "added on the way" } }));
});

test("the signature is the HMAC of the covered parts, one a line", (t) => {
  const header = signed().headers["x-cloud-signature"] ?? "";
  const [, time, nonce, signature] =
    /^v1;kid=k1;t=(\d+);n=([0-9a-f]{24});sig=([0-9a-f]{64})$/.exec(header) ?? [];
  const { method, path, headers } = parts;
  const named = Object.entries(headers).map(([name, value]) => `${name}:${value}`);
  const text = ["v1", method, path, ...named, time, nonce].join("\n");

  t.is(time, String(NOW));
  t.is(signature, createHmac("sha256", key.secret).update(text).digest("hex"));
});

const otherKey = { id: "k1", secret: "another secret" };
const call = signed();
const signature = call.headers["x-cloud-signature"] ?? "";
const changed = (headers: Readonly<Record<string, string>>): Parts => ({
  ...call,
  headers: { ...call.headers, ...headers },
});

/** The first digit is another one, whichever it was. */
function withOtherNonce(text: string): string {
  return text.replace(/n=(.)/, (_, digit: string) => `n=${digit === "f" ? "0" : "f"}`);
}

for (const [what, forged] of [
  ["another method", { ...call, method: "PUT" }],
  ["another path", { ...call, path: call.path.replace("git-tar", "buildshiprun") }],
  ["another query", { ...call, path: call.path.replace("7", "8") }],
  ["another content key", changed({ "x-content-key": contentKeyOf("{ }") })],
  ["another owner", changed({ "x-owner-id": "forge:2" })],
  ["another callback", changed({ "x-callback-url": "http://evil.example/" })],
  ["a later time", changed({ "x-cloud-signature": signature.replace(/t=(\d+)/, `t=${NOW + 1}`) })],
  ["another nonce", changed({ "x-cloud-signature": withOtherNonce(signature) })],
  ["another secret's signature", signed(parts, otherKey)],
  ["a key id that is not known", signed(parts, { ...key, id: "k9" })],
  ["a truncated signature", changed({ "x-cloud-signature": signature.slice(0, -1) })],
  ["an upper-case signature", changed({ "x-cloud-signature": signature.toUpperCase() })],
  ["a signature of a later form", changed({ "x-cloud-signature": signature.replace("v1", "v2") })],
  ["two signatures", changed({ "x-cloud-signature": `${signature}, ${signature}` })],
  ["no signature", changed({ "x-cloud-signature": "" })],
] as const) {
  test(`${what} is refused with 401`, (t) => {
    const error = t.throws(() => verify(forged), { instanceOf: HttpError });

    t.like(error, { status: 401, code: "bad-signature" });
    t.false(error?.message.includes(signature.slice(-64)));
  });
}

test("a header that was absent when signed may not be added", (t) => {
  const bare = signed({ ...parts, headers: { "x-content-key": contentKeyOf("") } });
  const added = { ...bare, headers: { ...bare.headers, "x-callback-url": "http://evil.example/" } };

  t.notThrows(() => verify(bare));
  t.throws(() => verify(added), { message: /does not match/ });
});

test("a signature lives five minutes, on either side of the receiver's clock", (t) => {
  t.notThrows(() => verify(signed(), NOW + SIGNATURE_WINDOW_MS));
  t.notThrows(() => verify(signed(), NOW - SIGNATURE_WINDOW_MS));
  t.throws(() => verify(signed(), NOW + SIGNATURE_WINDOW_MS + 1), { message: /too old/ });
  t.throws(() => verify(signed(), NOW - SIGNATURE_WINDOW_MS - 1), { message: /from the future/ });
});

test("a nonce is taken once for as long as its signature could be fresh", (t) => {
  const nonces = createNonceMemory();
  const early = signed();
  verify(early, NOW - SIGNATURE_WINDOW_MS, [key], nonces);
  for (let other = 0; other < 100; other += 1) verify(signed(), NOW, [key], nonces);

  t.throws(() => verify(early, NOW + SIGNATURE_WINDOW_MS, [key], nonces), {
    message: /used before/,
  });
});

test("a refused call does not use up its nonce", (t) => {
  const nonces = createNonceMemory();
  const good = signed();

  t.throws(() => verify({ ...good, method: "PUT" }, NOW, [key], nonces));

  t.notThrows(() => verify(good, NOW, [key], nonces));
});

test("while keys rotate, both ids verify, each with its own secret", (t) => {
  const next = { id: "k2", secret: "next secret" };

  t.notThrows(() => verify(signed(parts, key), NOW, [next, key]));
  t.notThrows(() => verify(signed(parts, next), NOW, [next, key]));
  t.throws(() => verify(signed(parts, { id: "k2", secret: key.secret }), NOW, [next, key]));
  t.throws(() => verify(signed(parts, key), NOW, [next]), { message: /key "k1".*not known/ });
});

test("a body is checked against the digest that was signed", (t) => {
  const headers = new Headers({ "x-content-key": contentKeyOf("a") });

  t.notThrows(() => verifyContent(Buffer.from("a"), headers));
  t.throws(() => verifyContent(Buffer.from("b"), headers), { message: /not the digest/ });
  t.throws(() => verifyContent(Buffer.from(""), new Headers()), { message: /not the digest/ });
  t.is(
    contentKeyOf("abc"),
    "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
  );
});

const word = fc.stringMatching(/^[!-~]{1,40}$/);
const anyCall = fc.record({
  method: fc.constantFrom("GET", "POST", "PUT", "DELETE"),
  path: word.map((text) => `/${text}`),
  headers: fc.record({ "x-content-key": word, "x-owner-id": word, "x-callback-url": word }),
});

test("whatever is signed verifies, and no other call does by its signature", (t) => {
  fc.assert(
    fc.property(anyCall, anyCall, (one, other) => {
      const sent = signed(one);
      verify(sent);
      if (JSON.stringify(one) === JSON.stringify(other)) return;
      const header = sent.headers["x-cloud-signature"] ?? "";
      const forged = { ...other, headers: { ...other.headers, "x-cloud-signature": header } };
      t.throws(() => verify(forged), { instanceOf: HttpError });
    }),
  );
  t.pass();
});

test("no text in place of the signature does anything but refuse", (t) => {
  fc.assert(
    fc.property(fc.string({ unit: "binary-ascii" }), (text) => {
      const headers = new Headers();
      try {
        headers.set("x-cloud-signature", text);
      } catch {
        return; // not a header at all
      }
      t.throws(
        () => verifyCall({ method: "GET", path: "/", headers }, [key], createNonceMemory()),
        {
          instanceOf: HttpError,
        },
      );
    }),
  );
  t.pass();
});
