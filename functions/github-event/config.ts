import { type Env, readEnv } from "#sdk/env.ts";

export type Config = {
  /** Accept `X-Hub-Signature` (SHA-1) where the SHA-256 header is absent. */
  readonly webhookSha1: boolean;
  /** False refuses every delivery from GitHub; the forge's are taken. */
  readonly githubIntake: boolean;
  readonly validateCustomers: boolean;
  /** File of logins, one a line; wins over the URL. Empty: not used. */
  readonly customersPath: string;
  /** Where to fetch the list. Empty: not used. */
  readonly customersUrl: string;
  /** Anyone may install the GitHub App, so without a list only its own account is served. */
  readonly appIsPublic: boolean;
  /** Login of the account that owns the GitHub App. */
  readonly appOwner: string;
  /** Longest wait for a delivery's body, in milliseconds. */
  readonly readTimeoutMs: number;
  /** Longest wait for github-push, in milliseconds; GitHub gives up after 10 s. */
  readonly forwardTimeoutMs: number;
};

export function readConfig(env: Env): Config {
  const read = readEnv(env);
  return read.done({
    webhookSha1: read.boolean("webhook_sha1", false),
    githubIntake: read.boolean("github_intake", true),
    validateCustomers: read.boolean("validate_customers", true),
    customersPath: read.text("customers_path", ""),
    customersUrl: read.text("customers_url", ""),
    appIsPublic: read.boolean("github_app_public", false),
    appOwner: read.text("github_app_owner", ""),
    readTimeoutMs: read.milliseconds("read_timeout", "8s"),
    forwardTimeoutMs: read.milliseconds("write_timeout", "9s"),
  });
}
