import { createPrivateKey } from "node:crypto";
import { App } from "@octokit/app";
import { Octokit } from "@octokit/core";
import { HttpError } from "#sdk/errors.ts";
import { withDeadline } from "#sdk/with-deadline.ts";

/** A GitHub, or what speaks like one, and our App on it. */
export type GithubSource = {
  readonly scm: string;
  /** API root, with or without a trailing slash: `https://api.github.com`. */
  readonly baseUrl: string;
  readonly appId: string;
  /** PEM, PKCS#1 (as GitHub hands it out) or PKCS#8. */
  readonly privateKey: string;
};

export type GithubApps = {
  /** A client that acts as our App's installation, for work that takes minutes rather than hours. */
  installation(
    scm: string,
    installationId: number,
    options?: TokenOptions,
  ): Promise<InstallationClient>;
  /** The installation's token, as `git` wants it for a password; good for some minutes at least. */
  installationToken(scm: string, installationId: number, options?: TokenOptions): Promise<string>;
  /** A client that acts as the App itself: its deliveries, its installations. */
  asApp(scm: string): InstallationClient;
  /** The App's own id on a source, as check runs name it. */
  appId(scm: string): number | undefined;
};

/** `fresh`: make a new token even though one is cached, because the source refused that one. */
type TokenOptions = { readonly fresh?: boolean };

export type InstallationClient = Pick<Octokit, "request">;

type Options = {
  readonly sources: readonly GithubSource[];
  /** Longest wait for one answer, in milliseconds. */
  readonly timeoutMs?: number;
  readonly fetch?: typeof globalThis.fetch;
};

/** The version of GitHub's REST API that this code was written against. */
const API_VERSION = "2022-11-28";
const quiet = { debug() {}, info() {}, warn() {}, error() {} };

/** One App per source, its tokens cached until they grow old; throws when a private key cannot be read. */
export function createGithubApps({
  sources,
  timeoutMs = 10_000,
  fetch = globalThis.fetch,
}: Options): GithubApps {
  const bounded = boundFetch(fetch, timeoutMs);
  const apps = new Map(sources.map((source) => [source.scm, createApp(source, bounded)]));

  return {
    async installation(scm, installationId, options) {
      const auth = await installationToken(scm, installationId, options);
      return new (require(scm).Client)({ auth });
    },
    installationToken,
    asApp: (scm) => require(scm).app.octokit,
    appId: (scm) => apps.get(scm)?.appId,
  };

  async function installationToken(
    scm: string,
    installationId: number,
    { fresh = false }: TokenOptions = {},
  ): Promise<string> {
    const { app } = require(scm);
    if (installationId === 0)
      throw new HttpError(422, "no-installation", "The delivery named no App installation.");
    return oneAtATime(installationId, async () => {
      const auth = await app.octokit.auth({ type: "installation", installationId, refresh: fresh });
      return readToken(auth);
    });
  }

  function require(scm: string) {
    const known = apps.get(scm);
    if (known !== undefined) return known;
    throw new HttpError(422, "no-app", `No GitHub App is configured for ${scm}.`);
  }
}

function createApp({ baseUrl, appId, privateKey }: GithubSource, fetch: typeof globalThis.fetch) {
  const Client = Octokit.defaults({
    baseUrl: baseUrl.replace(/\/$/, ""),
    userAgent: "openfaas-cloud",
    request: { fetch },
    log: quiet,
  });
  const pem = createPrivateKey(privateKey).export({ type: "pkcs8", format: "pem" }).toString();
  const app = new App({ appId, privateKey: pem, Octokit: Client, log: quiet });
  return { app, Client, appId: Number(appId) };
}

function readToken(auth: unknown): string {
  const token = typeof auth === "object" && auth !== null && "token" in auth ? auth.token : "";
  if (typeof token === "string" && token !== "") return token;
  throw new Error("The source answered an installation token request without a token.");
}

const making = new Map<number, Promise<unknown>>();

/**
 * @octokit/auth-app shares a token request that is under way by installation id alone, across Apps and
 * servers: installation 7 of one source would get the token of another's. So an id has one request at a time.
 */
async function oneAtATime<T>(installationId: number, work: () => Promise<T>): Promise<T> {
  const mine = (making.get(installationId) ?? Promise.resolve()).then(work, work);
  making.set(installationId, mine);
  try {
    return await mine;
  } finally {
    if (making.get(installationId) === mine) making.delete(installationId);
  }
}

/** Every request ends: with an answer, or after `timeoutMs`. */
function boundFetch(fetch: typeof globalThis.fetch, timeoutMs: number): typeof globalThis.fetch {
  return (input, init = {}) => {
    const headers = new Headers(init.headers);
    headers.set("x-github-api-version", API_VERSION);
    const signal = withDeadline(timeoutMs, ...(init.signal ? [init.signal] : []));
    return fetch(input, { ...init, headers, signal });
  };
}
