import { execFileSync } from "node:child_process";
import type { ExecutionContext } from "ava";
import { type RunningPlatform, startPlatform } from "./platform.ts";
import { type Files, makeRepository, removeRepository, type TestRepository } from "./repository.ts";
import { until } from "./until.ts";

type Context = { teardown(run: () => Promise<void>): void };

/** One way for a push through a platform. */
export type RoadOptions = {
  /** First word of each title. */
  readonly name: string;
  readonly engine: "process" | "docker";
  /** The platform's environment, once what it needs is there; what was passed to `teardown` runs at the end. */
  readonly prepare: (t: Context) => Promise<Record<string, string>>;
  /** Names of the functions that run of a data folder whose platform has stopped. */
  readonly listServing: (dataFolder: string) => Promise<string[]>;
  /** Leave out what is the same on every queue. */
  readonly onlyQueue?: boolean;
};

export type Road = Omit<RoadOptions, "prepare"> & {
  readonly platform: RunningPlatform;
  /** One more platform of this kind, on data of its own or of one that was killed. */
  start(dataFolder?: string): Promise<RunningPlatform>;
  /** An owner's repository with a first commit, and where it is pushed to. */
  owner(
    t: ExecutionContext,
    name: string,
    files: Files,
    platform?: RunningPlatform,
  ): Promise<{ readonly repository: TestRepository; readonly url: string }>;
};

/** Start its platform. */
export async function openRoad({ prepare, ...options }: RoadOptions, t: Context): Promise<Road> {
  const env = await prepare(t);
  const start = (dataFolder?: string) =>
    startPlatform({
      engine: options.engine,
      env,
      ...(dataFolder === undefined ? {} : { dataFolder }),
    });
  const platform = await start();
  return {
    ...options,
    platform,
    start,
    async owner(t, name, files, at = platform) {
      const repository = await makeRepository();
      t.teardown(() => removeRepository(repository));
      await repository.commit(files);
      const { url } = JSON.parse(await at.ofc("token", name, "--json")) as { url: string };
      return { repository, url: `${url}/shop.git` };
    },
  };
}

export async function call(
  platform: RunningPlatform,
  service: string,
  body?: string,
): Promise<string> {
  const response = await fetch(
    new URL(`function/${service}`, platform.url),
    body === undefined ? {} : { method: "POST", body },
  );
  return (await response.text()).trim();
}

/** As a browser would by `http://<owner>.localhost/<function>`. */
export async function callHost(
  platform: RunningPlatform,
  slug: string,
  path: string,
): Promise<string> {
  const { port } = new URL(platform.url);
  return execFileSync(
    "curl",
    ["-sS", "-H", `Host: ${slug}.localhost:${port}`, `http://127.0.0.1:${port}${path}`],
    { encoding: "utf8" },
  ).trim();
}

export async function deployedAt(
  platform: RunningPlatform,
  service: string,
): Promise<number | undefined> {
  const { functions } = JSON.parse(await platform.ofc("status", "--json")) as {
    functions: { name: string; deployedAt: number }[];
  };
  return functions.find(({ name }) => name === service)?.deployedAt;
}

type Status = { readonly context: string; readonly state: string; readonly description: string };

/** What the commit shows in `stack-deploy` on the source, once it is final. */
export async function finalStatus(
  t: ExecutionContext,
  platform: RunningPlatform,
  name: string,
  sha: string,
): Promise<Status> {
  const { token } = JSON.parse(await platform.ofc("token", name, "--json")) as { token: string };
  const url = new URL(`api/v3/repos/${name}/shop/commits/${sha}/status`, platform.url);
  let found: Status | undefined;
  await until(async () => {
    const response = await fetch(url, { headers: { authorization: `token ${token}` } });
    const { statuses = [] } = (await response.json()) as { statuses?: Status[] };
    found = statuses.find(({ context }) => context === "stack-deploy");
    return found !== undefined && statuses.every(({ state }) => state !== "pending");
  });
  return found ?? t.fail("no stack-deploy status");
}

/** Processes that have the data folder in their arguments or their working folder. */
export function processesOf(dataFolder: string): string[] {
  const listed = execFileSync("ps", ["-eo", "pid,args"], { encoding: "utf8" });
  return listed.split("\n").filter((line) => line.includes(dataFolder) && !/ps -eo/.test(line));
}
