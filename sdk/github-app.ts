import { createPrivateKey } from "node:crypto";
import { App } from "@octokit/app";
import { Octokit } from "@octokit/core";
import { z } from "zod";
import { HttpError } from "#sdk/errors.ts";

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
  /** A client that acts as our App's installation; its tokens are made on demand and cached. */
  installation(scm: string, installationId: number): Promise<InstallationClient>;
  /** A token that reads the installation's repositories, cached until it is about to expire. */
  installationToken(scm: string, installationId: number): Promise<string>;
  /** The App's own id on a source, as check runs name it. */
  appId(scm: string): number | undefined;
};

export type InstallationClient = Pick<Octokit, "request">;

type Options = {
  readonly sources: readonly GithubSource[];
  /** Longest wait for one answer, in milliseconds. */
  readonly timeoutMs?: number;
  readonly fetch?: typeof globalThis.fetch;
};

/** The version of GitHub's REST API that this code was written against. */
const API_VERSION = "2022-11-28";
const tokenAnswer = z.object({ token: z.string().min(1) });
const quiet = { debug() {}, info() {}, warn() {}, error() {} };

/** One App client per source; throws when a private key cannot be read. */
export function createGithubApps({
  sources,
  timeoutMs = 10_000,
  fetch = globalThis.fetch,
}: Options): GithubApps {
  const apps = new Map(
    sources.map((source) => [source.scm, createApp(source, boundFetch(fetch, timeoutMs))]),
  );

  return {
    installation: open,
    async installationToken(scm, installationId) {
      const client = await open(scm, installationId);
      const { token } = tokenAnswer.parse(await client.auth({ type: "installation" }));
      return token;
    },
    appId(scm) {
      const source = sources.find((one) => one.scm === scm);
      return source === undefined ? undefined : Number(source.appId);
    },
  };

  async function open(scm: string, installationId: number): Promise<Octokit> {
    const app = apps.get(scm);
    if (app === undefined)
      throw new HttpError(422, "no-app", `No GitHub App is configured for ${scm}.`);
    if (installationId === 0)
      throw new HttpError(422, "no-installation", "The delivery named no App installation.");
    return app.getInstallationOctokit(installationId);
  }
}

function createApp(source: GithubSource, fetch: typeof globalThis.fetch) {
  return new App({
    appId: source.appId,
    privateKey: createPrivateKey(source.privateKey)
      .export({ type: "pkcs8", format: "pem" })
      .toString(),
    Octokit: Octokit.defaults({
      baseUrl: source.baseUrl.replace(/\/$/, ""),
      userAgent: "openfaas-cloud",
      request: { fetch },
      log: quiet,
    }),
    log: quiet,
  });
}

/** Every request ends: with an answer, or after `timeoutMs`. */
function boundFetch(fetch: typeof globalThis.fetch, timeoutMs: number): typeof globalThis.fetch {
  return (input, init = {}) => {
    const headers = new Headers(init.headers);
    headers.set("x-github-api-version", API_VERSION);
    const limits = [AbortSignal.timeout(timeoutMs), ...(init.signal ? [init.signal] : [])];
    return fetch(input, { ...init, headers, signal: AbortSignal.any(limits) });
  };
}
