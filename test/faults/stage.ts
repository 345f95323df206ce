import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { connectAdmin } from "../../cli/admin-client.ts";
import { dockerEnv } from "../helpers/docker-platform.ts";
import { findPort } from "../helpers/find-port.ts";
import { startDocker, type TestDocker } from "../helpers/start-docker.ts";
import { importTemplateBases } from "../helpers/template-bases.ts";
import { type Github, type Network, startGithub } from "./github.ts";
import type { Running } from "./processes.ts";
import type { Random } from "./random.ts";
import { startVictim, type Victim } from "./victim.ts";
import { makeWorkTree, type WorkTree } from "./work-tree.ts";

const TOKEN = z.object({ owner: z.string(), token: z.string() });

export type Place = {
  readonly scm: "forge" | "github";
  readonly owner: string;
  readonly repository: string;
  readonly hasPackage?: boolean;
};

/** One data folder and port, on which one platform after the other lives, and those who push to it. */
export type Stage = {
  readonly folder: string;
  readonly dataFolder: string;
  readonly githubFolder: string;
  /** The platform's TMPDIR. */
  readonly temporary: string;
  readonly url: string;
  readonly github: Github;
  readonly trees: readonly WorkTree[];
  /** Every process that was ever seen below a platform. */
  readonly everSeen: ReadonlyMap<string, Running>;
  readonly engine: "process" | "docker";
  /** A dockerd of the stage's own, where functions run on Docker. */
  readonly docker: TestDocker | undefined;
  /** The platform that was started last. */
  readonly victim: Victim;
  /** Start the next platform; one that still lives is killed. */
  live(env?: Readonly<Record<string, string>>): Promise<Victim>;
  /** Make the work trees; a platform has to be ready. */
  plant(places: readonly Place[]): Promise<void>;
  /** Token with which a repository's source answers API calls. */
  tokenOf(scm: string, owner: string): string;
  apiOf(scm: string): string;
  remember(children: readonly Running[]): void;
  close(options: { readonly keep: boolean }): Promise<void>;
};

export async function setStage(
  random: Random,
  network: Network = { lost: 0, doubled: 0, late: 0 },
  settings: Readonly<Record<string, string>> = {},
  engine: Stage["engine"] = "process",
): Promise<Stage> {
  const ends: (() => Promise<void>)[] = [];
  const docker = engine === "docker" ? await openDocker(ends) : undefined;
  const folder = await mkdtemp(join(tmpdir(), "ofc-faults-"));
  const dataFolder = join(folder, "data");
  const githubFolder = join(folder, "github");
  const temporary = join(folder, "tmp");
  await mkdir(temporary);
  const port = await findPort();
  const url = `http://127.0.0.1:${port}/`;
  const github = await startGithub(githubFolder, `${url}github-event`, random, network);
  await writeSecrets(dataFolder, github);
  const standing = {
    TMPDIR: temporary,
    process_engine_runs_strangers_code: "true",
    owner_builds_per_hour: "1000000",
    github_app_id: "1",
    github_api_url: `${github.url}api/v3/`,
    github_url: github.url,
    ...(docker === undefined ? {} : dockerEnv(docker)),
    ...settings,
  };
  const tokens = new Map<string, string>();
  const everSeen = new Map<string, Running>();
  const trees: WorkTree[] = [];
  const start = (env: Readonly<Record<string, string>> = {}) =>
    startVictim({
      dataFolder,
      port,
      engine,
      env: { ...standing, ...env },
      log: join(folder, "platform.log"),
    });
  let victim: Victim | undefined;
  const current = () => {
    if (victim === undefined) throw new Error("No platform was started yet.");
    return victim;
  };

  return {
    folder,
    dataFolder,
    githubFolder,
    temporary,
    url,
    github,
    trees,
    everSeen,
    engine,
    docker,
    get victim() {
      return current();
    },
    async live(env) {
      if (victim?.isGone() === false) await victim.kill("SIGKILL");
      victim = start(env);
      return victim;
    },
    async plant(places) {
      const admin = await connectAdmin(dataFolder);
      for (const { scm, owner, repository, hasPackage = false } of places) {
        if (scm === "forge" && !tokens.has(owner))
          tokens.set(owner, (await admin.post("/tokens", { owner }, TOKEN)).token);
        const pushUrl = scm === "github" ? github.pushUrl(owner) : forgeUrl(owner);
        trees.push(await makeWorkTree({ scm, owner, repository, pushUrl, hasPackage }));
      }
    },
    tokenOf: (scm, owner) => (scm === "github" ? github.token(owner) : (tokens.get(owner) ?? "")),
    apiOf: (scm) => `${scm === "github" ? github.url : url}api/v3/`,
    remember(children) {
      for (const child of children) everSeen.set(`${child.pid} ${child.startTime}`, child);
    },
    async close({ keep }) {
      if (victim?.isGone() === false) await victim.kill("SIGKILL");
      await github.close();
      for (const tree of trees) await tree.remove();
      for (const end of ends.toReversed()) await end();
      if (!keep) await rm(folder, { recursive: true, force: true, maxRetries: 5 });
    },
  };

  function forgeUrl(owner: string): string {
    const made = new URL(`git/${owner}/`, url);
    made.username = owner;
    made.password = tokens.get(owner) ?? "";
    return made.href;
  }
}

async function openDocker(ends: (() => Promise<void>)[]): Promise<TestDocker> {
  const docker = await startDocker({ teardown: (end) => ends.push(end) });
  await importTemplateBases(docker);
  return docker;
}

async function writeSecrets(dataFolder: string, github: Github): Promise<void> {
  const secrets = join(dataFolder, "secrets");
  await mkdir(secrets, { recursive: true, mode: 0o700 });
  await writeFile(join(secrets, "private-key"), github.privateKey, { mode: 0o600 });
  await writeFile(join(secrets, "github-webhook-secret"), github.webhookSecret, { mode: 0o600 });
}
