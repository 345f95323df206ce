import { type Env, readEnv } from "#sdk/env.ts";

export type Config = {
  /** Slack-style webhook; empty: nobody is told. */
  readonly slackUrl: string;
  /** Longest wait for it, in milliseconds. */
  readonly slackTimeoutMs: number;
};

export function readConfig(env: Env): Config {
  const read = readEnv(env);
  return read.done({
    slackUrl: read.secretUrl("slack_url"),
    slackTimeoutMs: read.milliseconds("slack_timeout", "5s"),
  });
}
