import { createHash, createPublicKey } from "node:crypto";
import type { PayloadKey } from "#sdk/internal-signature.ts";
import { readSecret } from "#sdk/secrets.ts";

export type PlatformSecrets = {
  readonly basicAuth: { readonly user: string; readonly password: string };
  readonly payloadKey: PayloadKey;
  /** Opens the build secrets of faas-cli: base64 of 32 bytes. */
  readonly buildKey: string;
  readonly githubWebhookSecret: string;
  readonly forgeWebhookSecret: string;
  /** PEM of the GitHub App's key; the forge knows the platform by its public half. */
  readonly privateKey: string;
  readonly publicKey: string;
};

/** Read the platform's secrets; a missing or empty one stops the start. */
export async function readPlatformSecrets(folder: string): Promise<PlatformSecrets> {
  const [
    user,
    password,
    payloadSecret,
    githubWebhookSecret,
    forgeWebhookSecret,
    privateKey,
    buildKey,
  ] = await Promise.all(
    [
      "basic-auth-user",
      "basic-auth-password",
      "payload-secret",
      "github-webhook-secret",
      "forge-webhook-secret",
      "private-key",
      "build-key",
    ].map((name) => readSecret(folder, name)),
  );
  return {
    basicAuth: { user: user ?? "", password: password ?? "" },
    payloadKey: toPayloadKey(payloadSecret ?? ""),
    buildKey: buildKey ?? "",
    githubWebhookSecret: githubWebhookSecret ?? "",
    forgeWebhookSecret: forgeWebhookSecret ?? "",
    privateKey: privateKey ?? "",
    publicKey: createPublicKey(privateKey ?? "")
      .export({ type: "spki", format: "pem" })
      .toString(),
  };
}

/** The key's id is the start of its digest, so that every process names the same file the same. */
function toPayloadKey(secret: string): PayloadKey {
  return { id: createHash("sha256").update(secret).digest("hex").slice(0, 8), secret };
}
