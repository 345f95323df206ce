import { ConfigError, type Env, type EnvReader, readEnv } from "#sdk/env.ts";
import { type Address, parseAddress } from "./address.ts";

/** The rooms behind the gateway. */
export const ROOMS = ["provider", "queue", "forge", "builder", "functions"] as const;
export type RoomName = (typeof ROOMS)[number];

export type Config = {
  readonly port: number;
  readonly host: string;
  /** Owners' functions are at `<owner>.<rootDomain>`, lower case. */
  readonly rootDomain: string;
  /** Host names besides `127.0.0.1`, `localhost` and `[::1]` that are the machines' side. */
  readonly gatewayNames: readonly string[];
  readonly rooms: Readonly<Record<RoomName, Address>>;
  readonly basicAuth: boolean;
  /** Folder of `basic-auth-user`, `basic-auth-password` and `payload-secret`. */
  readonly secretMountPath: string;
  /** Id under which signers name the payload key. */
  readonly payloadKeyId: string;
  readonly release: string;
  readonly sha: string;
  /** Longest wait for request headers, and longest silence inside a request body. */
  readonly readTimeoutMs: number;
  /** Longest time a client may refuse to take more of an answer. */
  readonly writeTimeoutMs: number;
  /** Longest wait for a function's response headers, and longest silence inside its body. */
  readonly upstreamTimeoutMs: number;
  /** Longest wait for a room's response headers (a deploy or a build takes its time). */
  readonly roomTimeoutMs: number;
  /** Longest time a request is held while no replica is ready. */
  readonly holdTimeoutMs: number;
  /** Most requests held for one function at a time. */
  readonly holdLimit: number;
  readonly maxConnectionsPerReplica: number;
  /** Body limit of `/system` and the forge's API. */
  readonly maxBodyBytes: number;
  /** Body limit of `/git` and `/build`. */
  readonly maxUploadBytes: number;
  /** The endpoint table is stale, and asked for anew, after this much silence. */
  readonly endpointsSilenceMs: number;
  readonly drainTimeoutMs: number;
};

export function readConfig(env: Env): Config {
  const read = readEnv(env);
  const config = {
    ...readSettings(read),
    port: read.integer("port", 8080, { max: 65_535 }),
    rootDomain: read.text("root_domain", "localhost").toLowerCase(),
    addresses: {
      provider: read.text("functions_provider_url"),
      queue: read.text("queue_url"),
      forge: read.text("forge_url"),
      builder: read.text("builder_url"),
      functions: read.text("system_functions_url"),
    },
    secretMountPath: read.text("secret_mount_path", "/run/secrets"),
    payloadKeyId: read.text("payload_key_id", "1"),
    release: read.text("release", "dev"),
    sha: read.text("git_sha", "unknown"),
  };
  const { addresses, ...rest } = read.done(config);
  return { ...rest, rooms: parseRooms(addresses) };
}

/** What an operator sets; the rest is between the gateway and who starts it. Throws as `readConfig`. */
export function readGatewaySettings(env: Env): ReturnType<typeof readSettings> {
  const read = readEnv(env);
  return read.done(readSettings(read));
}

function readSettings(read: EnvReader) {
  return {
    host: read.text("host", "127.0.0.1"),
    gatewayNames: splitNames(read.text("gateway_names", "gateway")),
    basicAuth: read.boolean("basic_auth", true),
    readTimeoutMs: read.milliseconds("read_timeout", "60s"),
    writeTimeoutMs: read.milliseconds("write_timeout", "60s"),
    upstreamTimeoutMs: read.milliseconds("upstream_timeout", "60s"),
    roomTimeoutMs: read.milliseconds("room_timeout", "15m"),
    holdTimeoutMs: read.milliseconds("hold_timeout", "30s"),
    holdLimit: read.integer("hold_limit", 2_000),
    maxConnectionsPerReplica: read.integer("max_connections_per_replica", 1_024, { min: 1 }),
    maxBodyBytes: read.integer("max_body_bytes", 32 * 1_024 ** 2),
    maxUploadBytes: read.integer("max_upload_bytes", 1_024 ** 3),
    endpointsSilenceMs: read.milliseconds("endpoints_silence", "20s"),
    drainTimeoutMs: read.milliseconds("drain_timeout", "8s"),
  };
}

const VARIABLE_OF: Readonly<Record<RoomName, string>> = {
  provider: "functions_provider_url",
  queue: "queue_url",
  forge: "forge_url",
  builder: "builder_url",
  functions: "system_functions_url",
};

function parseRooms(texts: Readonly<Record<RoomName, string>>): Record<RoomName, Address> {
  const problems: string[] = [];
  const address = (room: RoomName): Address => {
    const parsed = parseAddress(texts[room]);
    if (parsed !== undefined) return parsed;
    problems.push(
      `${VARIABLE_OF[room]} is ${JSON.stringify(texts[room])}; expected "unix:/path" or "http://host:port"`,
    );
    return { origin: "" };
  };
  const rooms = {
    provider: address("provider"),
    queue: address("queue"),
    forge: address("forge"),
    builder: address("builder"),
    functions: address("functions"),
  };
  if (problems.length > 0) throw new ConfigError(problems);
  return rooms;
}

function splitNames(text: string): readonly string[] {
  return text
    .split(",")
    .map((name) => name.trim().toLowerCase())
    .filter((name) => name !== "");
}
