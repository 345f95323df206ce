import { type Env, readEnv } from "#sdk/env.ts";

export type Config = {
  /** Slack-style webhook; empty: nobody is told. */
  readonly slackUrl: string;
  /** Longest wait for it, in milliseconds. */
  readonly slackTimeoutMs: number;
};

export function readConfig(env: Env): Config {
  const read = readEnv(env);
  const slackUrl = read.text("slack_url", "");
  if (slackUrl !== "") read.url("slack_url"); // Only checked: Slack's addresses end without a slash.
  return read.done({
    slackUrl,
    slackTimeoutMs: read.milliseconds("slack_timeout", "5s"),
  });
}
