import nacl from "tweetnacl";
import { parse } from "yaml";
import { z } from "zod";
import { HttpError } from "#sdk/errors.ts";
import { SECRETS_ENTRY } from "./secrets-entry.ts";

/** Build secrets by their id, as `RUN --mount=type=secret,id=…` asks for them. */
export type BuildSecrets = ReadonlyMap<string, Uint8Array>;

/** What senders of build secrets seal for (spec/faas-cli.md section 8.3). */
export type PublicBuildKey = {
  readonly key_id: string;
  readonly algorithm: "nacl/box";
  /** Base64 of 32 bytes. */
  readonly public_key: string;
};

export type BuildKey = {
  readonly publicKey: PublicBuildKey;
  /** Open an envelope, `com.openfaas.secrets`. Throws 422 `bad-secrets`, without a word of what is in it. */
  open(envelope: Uint8Array): BuildSecrets;
};

/** BuildKit takes no larger one. */
const VALUE_LIMIT_BYTES = 500 * 1024;
const ID = /^[\w.-]{1,128}$/;

const Envelope = z.object({
  version: z.literal("v1"),
  algorithm: z.literal("nacl/box"),
  key_id: z.string(),
  public_key: z.string(),
  secrets: z.record(z.string(), z.string()),
});

/** `secret` is base64 of 32 bytes, as `faas-cli secret keygen` writes it. Throws for anything else. */
export function readBuildKey(secret: string): BuildKey {
  const secretKey = decode(secret, nacl.box.secretKeyLength);
  if (secretKey === undefined)
    throw new Error("The build key is not base64 of 32 bytes; see builder/README.md.");
  const public_key = Buffer.from(nacl.box.keyPair.fromSecretKey(secretKey).publicKey).toString(
    "base64",
  );
  const key_id = public_key.slice(0, 8);
  return {
    publicKey: { key_id, algorithm: "nacl/box", public_key },
    open(envelope) {
      const sealed = parseEnvelope(envelope);
      if (sealed.key_id !== key_id)
        throw refuse(
          `is sealed for the key ${JSON.stringify(sealed.key_id.slice(0, 8))}, this builder has ${key_id}: take GET /publickey and seal again`,
        );
      const sender = decode(sealed.public_key, nacl.box.publicKeyLength);
      if (sender === undefined) throw refuse("has a public_key that is not base64 of 32 bytes");
      const shared = nacl.box.before(sender, secretKey);
      return new Map(
        Object.entries(sealed.secrets).map(([id, box]) => [id, openBox(id, box, shared)]),
      );
    },
  };
}

function parseEnvelope(bytes: Uint8Array): z.infer<typeof Envelope> {
  const result = Envelope.safeParse(parseYaml(bytes));
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw refuse(`is not usable: ${issue?.path.join(".")}: ${issue?.message}`);
}

function parseYaml(bytes: Uint8Array): unknown {
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    return parse(text, { maxAliasCount: 0, logLevel: "error" });
  } catch {
    // Its message would quote the lines around.
    throw refuse("is not YAML");
  }
}

/** A nonce of 24 bytes, and behind it what it was sealed with. */
function openBox(id: string, box: string, shared: Uint8Array): Uint8Array {
  if (!ID.test(id)) throw refuse("has an id that is not up to 128 of A-Z a-z 0-9 _ . -");
  const bytes = decode(box);
  const nonce = bytes?.subarray(0, nacl.box.nonceLength);
  const value =
    bytes === undefined || nonce?.length !== nacl.box.nonceLength
      ? null
      : nacl.box.open.after(bytes.subarray(nacl.box.nonceLength), nonce, shared);
  if (!value) throw refuse(`does not open at "${id}": it was changed, or sealed for another key`);
  if (value.length > VALUE_LIMIT_BYTES)
    throw refuse(`has ${value.length} bytes as "${id}"; at most ${VALUE_LIMIT_BYTES} fit`);
  return value;
}

/** `undefined` for a text that is no base64, or not of that many bytes. */
function decode(text: string, length?: number): Uint8Array | undefined {
  const trimmed = text.trim();
  const bytes = Buffer.from(trimmed, "base64");
  if (bytes.toString("base64") !== trimmed) return undefined;
  return length === undefined || bytes.length === length ? new Uint8Array(bytes) : undefined;
}

function refuse(why: string): HttpError {
  return new HttpError(422, "bad-secrets", `${SECRETS_ENTRY} ${why}.`);
}
