import nacl from "tweetnacl";
import { stringify } from "yaml";
import { type PublicBuildKey, readBuildKey } from "./build-key.ts";

/** Written by `faas-cli secret seal` of release 0.18.8 for this key. */
export const VECTOR = {
  key: "a/fKt3WHiQUhMj98dcHW2r/UOFJJ8Jr+hPQdWfoCkVA=",
  envelope: `version: v1
algorithm: nacl/box
key_id: yifVoe0l
public_key: qwZ2iO792aEfSIQ0nTAaS2X0/XcT3R+0qbSflec3dkA=
secrets:
    npm_token: eJ3MXxso7uFa7CA9J2fSRF8M/SUNxpWJOVihUjCPHCuYNnfOgEhDiuPCErhqWg==
    pip_token: kmZ/+dfF9PPrf+vOv2FwNZxi1okoM1UKM1X82VXHlMzfQDWsmY8QqZb1QonCnw==
`,
  opened: { npm_token: "tok123", pip_token: "s3cr3t" },
};

/** An envelope as senders make it, with fields changed. */
export function sealSecrets(
  values: Readonly<Record<string, string | Uint8Array>>,
  changed: object = {},
  { key_id, algorithm, public_key }: PublicBuildKey = readBuildKey(VECTOR.key).publicKey,
): string {
  const sender = nacl.box.keyPair();
  const recipient = new Uint8Array(Buffer.from(public_key, "base64"));
  const secrets = Object.entries(values).map(([id, value]) => {
    const nonce = nacl.randomBytes(nacl.box.nonceLength);
    const box = nacl.box(new Uint8Array(Buffer.from(value)), nonce, recipient, sender.secretKey);
    return [id, Buffer.concat([nonce, box]).toString("base64")];
  });
  return stringify({
    version: "v1",
    algorithm,
    key_id,
    public_key: Buffer.from(sender.publicKey).toString("base64"),
    secrets: Object.fromEntries(secrets),
    ...changed,
  });
}
