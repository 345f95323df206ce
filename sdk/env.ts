import { parseDuration } from "#sdk/duration.ts";

/** Environment variables by name, as Node gives them to a process. */
export type Env = Readonly<Record<string, string | undefined>>;

/** Where a value in force came from, for `ofc config`. */
export type Setting = {
  readonly name: string;
  readonly value: string;
  /** `environment`, `default`, or the layer that holds it: `github.yml`. */
  readonly source: string;
  readonly unit?: string;
  readonly fallback?: string;
};

/** Every unusable variable at once, with what it holds and what was expected. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  /** Each begins with the variable's name. */
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(
      `Configuration is not usable:\n${problems.map((problem) => `  - ${problem}`).join("\n")}`,
    );
    this.problems = problems;
  }
}

export type EnvReader = {
  /** A text; without a default the variable is required. */
  text(name: string, fallback?: string): string;
  /** An absolute http(s) URL with a trailing slash added. */
  url(name: string, fallback?: string): string;
  /** An http(s) URL as it is, or `""`; it holds a secret, so it is neither listed nor told in errors. */
  secretUrl(name: string): string;
  /** Milliseconds of `"30s"`, `"15m"`, `"30"` (seconds), to wait for: no more than a timer can. */
  milliseconds(name: string, fallback: string): number;
  /** The same for an age, which nothing waits for: years are fine. */
  age(name: string, fallback: string): number;
  integer(name: string, fallback: number, range?: { min?: number; max?: number }): number;
  /** `true`/`1` or `false`/`0`. */
  boolean(name: string, fallback: boolean): boolean;
  choice<T extends string>(name: string, allowed: readonly T[], fallback: T): T;
  /** Return the config, or throw one ConfigError that names every problem. */
  done<T>(config: T): T;
  /** What was read so far, for printing. */
  readonly settings: readonly Setting[];
};

const settingsOf = new WeakMap<Env, Setting[]>();
const sourcesOf = new WeakMap<Env, Env>();

/**
 * The environment with further values below its own: they hold where it names nothing, and are told as
 * from `source`. What is read from either is listed for both.
 */
export function addBelow(env: Env, source: string, values: Env): Env {
  const both: Env = { ...values, ...env };
  const fresh = Object.keys(values).filter((name) => env[name] === undefined);
  const sources = Object.fromEntries(fresh.map((name) => [name, source]));
  sourcesOf.set(both, { ...sourcesOf.get(env), ...sources });
  settingsOf.set(both, listed(env));
  return both;
}

function listed(env: Env): Setting[] {
  const settings = settingsOf.get(env) ?? [];
  settingsOf.set(env, settings);
  return settings;
}

/** Everything that any room has read from this very environment object, by name. */
export function listSettings(env: Env): readonly Setting[] {
  const byName = new Map((settingsOf.get(env) ?? []).map((setting) => [setting.name, setting]));
  return [...byName.values()].sort((a, b) => a.name.localeCompare(b.name));
}

/** Read typed values from an environment and collect what is wrong with them. */
export function readEnv(env: Env): EnvReader {
  const problems: string[] = [];
  const settings: Setting[] = [];
  const shared = listed(env);

  function read<T>(
    name: string,
    fallback: string | undefined,
    unit: string | undefined,
    parse: (text: string) => T | undefined,
    expected: string,
  ): T {
    const given = env[name];
    const text = given ?? fallback;
    if (text === undefined) {
      problems.push(`${name} is not set; add it under "environment" in gateway_config.yml`);
      return undefined as T;
    }
    list(name, text, {
      ...(unit === undefined ? {} : { unit }),
      ...(fallback === undefined ? {} : { fallback }),
    });
    const value = parse(text);
    if (value === undefined)
      problems.push(`${name} is ${JSON.stringify(text)}; expected ${expected}`);
    return value as T;
  }

  function list(name: string, value: string, more: Pick<Setting, "unit" | "fallback">): void {
    const given =
      env[name] === undefined ? "default" : (sourcesOf.get(env)?.[name] ?? "environment");
    const setting: Setting = { name, value, source: given, ...more };
    settings.push(setting);
    shared.push(setting);
  }

  function readSecretUrl(name: string): string {
    const text = env[name] ?? "";
    list(name, text === "" ? "" : "(set)", { unit: "URL", fallback: "" });
    if (text !== "" && parseUrl(text) === undefined)
      problems.push(
        `${name} is not a URL such as "https://hooks.example.com/x" (not shown: it is a secret)`,
      );
    return text;
  }

  return {
    settings,
    secretUrl: readSecretUrl,
    text: (name, fallback) => read(name, fallback, undefined, (text) => text, "a text"),
    url: (name, fallback) =>
      read(name, fallback, "URL", parseUrl, 'a URL such as "http://127.0.0.1:8080"'),
    milliseconds: (name, fallback) =>
      read(name, fallback, "duration", parseWait, 'a duration such as "30s" or "15m", up to 596h'),
    age: (name, fallback) =>
      read(name, fallback, "duration", parseDuration, 'a duration such as "24h"'),
    integer: (name, fallback, { min = 0, max = Number.MAX_SAFE_INTEGER } = {}) =>
      read(
        name,
        String(fallback),
        undefined,
        (text) => parseInteger(text, min, max),
        max === Number.MAX_SAFE_INTEGER
          ? `a whole number from ${min} up`
          : `a whole number from ${min} to ${max}`,
      ),
    boolean: (name, fallback) =>
      read(name, String(fallback), undefined, parseBoolean, "true or false"),
    choice: (name, allowed, fallback) =>
      read(
        name,
        fallback,
        undefined,
        (text) => allowed.find((one) => one === text),
        `one of ${allowed.join(", ")}`,
      ),
    done(config) {
      if (problems.length > 0) throw new ConfigError(problems);
      return config;
    },
  };
}

function parseUrl(text: string): string | undefined {
  if (!URL.canParse(text) || !/^https?:/.test(text)) return undefined;
  return text.endsWith("/") ? text : `${text}/`;
}

/** Node's longest timer; a longer one would go off at once. */
const LONGEST_WAIT_MS = 2 ** 31 - 1;

function parseWait(text: string): number | undefined {
  const ms = parseDuration(text);
  return ms === undefined || ms > LONGEST_WAIT_MS ? undefined : ms;
}

function parseInteger(text: string, min: number, max: number): number | undefined {
  const value = Number(text);
  return /^-?\d+$/.test(text) && value >= min && value <= max ? value : undefined;
}

/** `true`, `1`, `false`, `0` in any case; `undefined` for anything else. */
export function parseBoolean(text: string): boolean | undefined {
  if (/^(true|1)$/i.test(text)) return true;
  return /^(false|0)$/i.test(text) ? false : undefined;
}
