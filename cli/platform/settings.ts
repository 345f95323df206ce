import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { parse } from "yaml";
import { z } from "zod";
import { addBelow, type Env, readEnv } from "#sdk/env.ts";
import { errorCode } from "#sdk/errors.ts";
import type { EngineKind } from "./choose-engine.ts";
import { STRANGERS_SWITCH } from "./owner-policy.ts";

/** The first that names a value holds. */
const CONFIG_FILES = ["github.yml", "gateway_config.yml"] as const;
/** What YAML makes of a file or a key with nothing but comments below it. */
const nothing = (value: unknown) => value === null || value === "";
const CONFIG_FILE = z.preprocess(
  (file) => (nothing(file) ? { environment: {} } : file),
  z.object({
    environment: z.preprocess(
      (values) => (nothing(values) ? {} : values),
      z.record(z.string(), z.string()),
    ),
  }),
);

/** What only the wiring needs; every room reads its own part of `env`. */
export type PlatformSettings = {
  /** The files' values, overridden by the process's environment, with what the machine decides. */
  readonly env: Env;
  readonly rootDomain: string;
  readonly strangersAllowed: boolean;
  /** 0 while no GitHub App is configured. */
  readonly githubAppId: number;
  readonly githubApiUrl: string;
  readonly queueBackend: "auto" | "embedded";
  readonly redisUrl: string | undefined;
  /** How long in-flight work may take when the platform stops, in milliseconds. */
  readonly drainMs: number;
};

/** Read gateway_config.yml and github.yml of a folder, and the environment over them. */
export async function readSettings(folder: string, environment: Env): Promise<PlatformSettings> {
  let given = environment;
  for (const name of CONFIG_FILES)
    given = addBelow(given, name, await readConfigFile(join(folder, name)));
  const read = readEnv(given);

  return read.done({
    env: given,
    rootDomain: read.text("root_domain", "localhost").toLowerCase(),
    strangersAllowed: read.boolean(STRANGERS_SWITCH, false),
    githubAppId: read.integer("github_app_id", 0),
    githubApiUrl: read.url("github_api_url", "https://api.github.com/"),
    queueBackend: read.choice("queue_backend", ["auto", "embedded"], "auto"),
    // Not through the reader: it may hold a password, and what is read is listed.
    redisUrl: given.REDIS_URL || undefined,
    drainMs: read.milliseconds("drain_timeout", "8s"),
  });
}

/** Containers keep owners apart; the process engine takes strangers, from GitHub above all, with its switch only. */
export function withEngine(settings: PlatformSettings, kind: EngineKind): PlatformSettings {
  const strangersAllowed = kind === "docker" || settings.strangersAllowed;
  const source = kind === "docker" ? "docker engine" : STRANGERS_SWITCH;
  const env = addBelow(settings.env, source, { github_intake: String(strangersAllowed) });
  return { ...settings, env, strangersAllowed };
}

/** Where people reach the platform, unless a setting says otherwise: known once the gateway listens. */
export function withPublicUrls(settings: PlatformSettings, gatewayUrl: string): PlatformSettings {
  const { host } = new URL(gatewayUrl);
  const port = host.includes(":") ? host.slice(host.lastIndexOf(":")) : "";
  return {
    ...settings,
    env: addBelow(settings.env, "gateway", {
      gateway_public_url: gatewayUrl,
      gateway_pretty_url: `http://user.${settings.rootDomain}${port}/function/`,
    }),
  };
}

async function readConfigFile(path: string): Promise<Record<string, string>> {
  const text = await readFile(path, "utf8").catch((error: unknown) => {
    if (errorCode(error) === "ENOENT") return "environment: {}";
    throw error;
  });
  const parsed = CONFIG_FILE.safeParse(parseYaml(text, path));
  if (!parsed.success) {
    throw new Error(
      `${path} is not usable; expected "environment:" with one "name: text" a line\n${z.prettifyError(parsed.error)}`,
    );
  }
  return parsed.data.environment;
}

function parseYaml(text: string, path: string): unknown {
  try {
    return parse(text, { schema: "failsafe" });
  } catch (error) {
    throw new Error(`${path} is not YAML`, { cause: error });
  }
}
