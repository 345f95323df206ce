import { type Env, readEnv } from "#sdk/env.ts";

export type Config = {
  /** Where `build` is, with a trailing slash. */
  readonly builderUrl: string;
  /** By which the builder picks the key that calls are signed with. */
  readonly payloadKeyId: string;
};

export function readConfig(env: Env): Config {
  const read = readEnv(env);
  return read.done({
    builderUrl: read.url("builder_url", "http://127.0.0.1:8080/"),
    payloadKeyId: read.text("payload_key_id", "1"),
  });
}
