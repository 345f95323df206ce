import { generateKeyPairSync } from "node:crypto";
import { answerRequests, type Handler } from "#sdk/answer.ts";
import { HttpError } from "#sdk/errors.ts";
import { silentLog } from "#sdk/log.ts";
import { serve } from "#sdk/serve.ts";
import { openForge } from "../../forge/open-forge.ts";
import { readForgeSettings } from "../../forge/settings.ts";
import type { Random } from "./random.ts";

const GITHUB_WEBHOOK_SECRET = "the webhook secret of the App under test";

/** What happens to one in so many webhooks on their way; 0 is never. */
export type Network = {
  /** The sender believes it delivered. */
  readonly lost: number;
  readonly doubled: number;
  /** It comes after what was pushed later. */
  readonly late: number;
};

export type Github = {
  readonly url: string;
  /** The App's private key, PEM. */
  readonly privateKey: string;
  readonly webhookSecret: string;
  /** `http://carol:<token>@…/git/carol/` */
  pushUrl(owner: string): string;
  token(owner: string): string;
  /** How the API answers from now on; `undefined` as it should. */
  fault:
    | { readonly status: number; readonly headers?: Readonly<Record<string, string>> }
    | "hang"
    | undefined;
  readonly counts: Record<keyof Network, number>;
  close(): Promise<void>;
};

/**
 * GitHub as the platform sees it: repositories, the App's API and signed push webhooks are the forge's own,
 * run apart from the platform under test. The network between both is bad, as `network` says.
 */
export async function startGithub(
  folder: string,
  webhookUrl: string,
  random: Random,
  network: Network,
): Promise<Github> {
  const keys = generateKeyPairSync("rsa", {
    modulusLength: 2048,
    publicKeyEncoding: { type: "spki", format: "pem" },
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
  });
  let handler: Handler = async () => {
    throw new HttpError(503, "starting", "Not yet.");
  };
  const served = await serve(
    answerRequests((request, log) => answer(request, () => handler(request, log)), silentLog),
    { port: 0, hostname: "127.0.0.1" },
  );
  const url = `${served.url}/`;
  const forge = await openForge({
    dataFolder: folder,
    publicUrl: url,
    webhookUrl,
    webhookSecret: GITHUB_WEBHOOK_SECRET,
    appId: 1,
    appPublicKeyPem: keys.publicKey,
    // A push to GitHub does not wait for what others make of it.
    async *followBuild() {
      yield { v: 1, at: 0, type: "ended", state: "live", reason: "", ms: 0, urls: [] };
    },
    settings: readForgeSettings({ forge_retry: "200ms", forge_push_wait: "100ms" }),
    log: silentLog,
    fetch: (input, init) => send(() => fetch(input, init)),
  });
  handler = forge.handler;
  await forge.start();
  const tokens = new Map<string, ReturnType<typeof forge.createToken>>();

  const github: Github = {
    url,
    privateKey: keys.privateKey,
    webhookSecret: GITHUB_WEBHOOK_SECRET,
    pushUrl: (owner) => made(owner).pushUrl,
    token: (owner) => made(owner).token,
    fault: undefined,
    counts: { lost: 0, doubled: 0, late: 0 },
    async close() {
      await forge.close();
      await served.close(0);
    },
  };
  return github;

  function made(owner: string) {
    const token = tokens.get(owner) ?? forge.createToken(owner);
    tokens.set(owner, token);
    return token;
  }

  async function answer(request: Request, next: () => Promise<Response>): Promise<Response> {
    const { fault } = github;
    if (fault === undefined || !new URL(request.url).pathname.startsWith("/api/v3")) return next();
    if (fault === "hang") return new Promise(() => {});
    const { status, headers = {} } = fault;
    return Response.json({ message: `fault ${status}` }, { status, headers });
  }

  async function send(post: () => Promise<Response>): Promise<Response> {
    if (happens("lost")) return new Response(null, { status: 202 });
    // Tried again later; what was pushed after it comes before it.
    if (happens("late")) return new Response(null, { status: 503 });
    if (happens("doubled")) await post().catch(() => undefined);
    return post();
  }

  function happens(what: keyof Network): boolean {
    const yes = network[what] > 0 && random.oneIn(network[what]);
    if (yes) github.counts[what] += 1;
    return yes;
  }
}
