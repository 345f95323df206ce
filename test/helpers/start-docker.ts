import { fork, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Docker from "dockerode";
import { type BaseFiles, packBaseImage } from "./base-image.ts";
import type { KeeperCall, KeeperOptions } from "./docker-keeper.ts";
import { until } from "./until.ts";

export type TestDocker = {
  readonly socketPath: string;
  readonly api: Docker;
  /** Address of the bridge, where containers reach this machine. */
  readonly gateway: string;
  /** Import an image with a shell, the usual small tools, these programs of this machine and these files. */
  importBase(name: string, programs?: readonly string[], files?: BaseFiles): Promise<void>;
  /** SIGKILL dockerd; what runs in containers goes on. */
  kill(): Promise<void>;
  /** Start it again over the same data; resolves when it answers. */
  start(): Promise<void>;
  /** What dockerd has written so far. */
  readLog(): Promise<string>;
};

type Context = { teardown(run: () => Promise<void>): void };

export type DockerOptions = {
  /** More arguments of dockerd. */
  readonly flags?: readonly string[];
  /** `daemon.json`. */
  readonly config?: object;
};

/** Why no dockerd can run here; `undefined` where it can. Tests skip with one line that says it. */
export const dockerMissing: string | undefined = findMissing();

/**
 * One private dockerd, gone with everything it made at the end of the test file, however that ends (see
 * docker-keeper.ts). Pass `test.after.always` hooks as `{ teardown }` to share it in a file:
 * it takes 0.2 s to start, so each file has its own and files run side by side.
 *
 * It shares nothing with a dockerd of this machine: data, sockets, bridge, subnet and cgroup are its own, and
 * it touches neither iptables nor ip_forward, whose rules belong to the machine. So containers reach each
 * other and this machine, and this machine reaches them, but they have no way out. Tests of rules pass
 * `--iptables=true` themselves and run where no other dockerd does.
 */
export async function startDocker(
  t: Context,
  { flags = [], config = {} }: DockerOptions = {},
): Promise<TestDocker> {
  // Short: a socket's path has at most 107 characters.
  const folder = await mkdtemp(join(tmpdir(), "ofcd-"));
  const quiet = ["--iptables=false", "--ip-forward=false", "--ip-masq=false"];
  await writeFile(join(folder, "daemon.json"), JSON.stringify(config));
  const keeper = startKeeper({ folder, flags: [...quiet, ...flags] });
  t.teardown(() => keeper.end());

  const socketPath = join(folder, "docker.sock");
  const api = new Docker({ socketPath });
  const readLog = () => readFile(join(folder, "dockerd.log"), "utf8");
  const start = async () => {
    await keeper.call("start");
    await until(() => answers(api), 60_000).catch(async (cause: unknown) => {
      throw new Error(`dockerd does not answer: ${await readLog()}`, { cause });
    });
  };
  await start();
  return {
    socketPath,
    api,
    gateway: `${await readFile(join(folder, "subnet"), "utf8")}0.1`,
    readLog,
    importBase: (...what) => importBase(api, ...what),
    kill: () => keeper.call("kill"),
    start,
  };
}

function findMissing(): string | undefined {
  if (process.getuid?.() !== 0) return "dockerd is started by root only, and this is another user";
  for (const program of ["dockerd", "containerd", "runc", "ip"])
    if (spawnSync(program, ["--version"]).error !== undefined)
      return `${program} is not installed (apt-get install docker.io iproute2)`;
  return undefined;
}

function startKeeper(options: KeeperOptions) {
  // Not this program's own flags, `-e` among them.
  const keeper = fork(join(import.meta.dirname, "docker-keeper.ts"), [JSON.stringify(options)], {
    execArgv: [],
  });
  const ended = once(keeper, "exit");
  let turn: Promise<unknown> = Promise.resolve();

  return { call, end };

  function call(word: KeeperCall): Promise<void> {
    const answered = turn.then(async () => {
      keeper.send(word);
      const [text] = await Promise.race([once(keeper, "message"), ended]);
      if (text !== word) throw new Error(`The keeper of dockerd said ${text}.`);
    });
    turn = answered.catch(() => {});
    return answered;
  }

  async function end(): Promise<void> {
    if (keeper.connected) keeper.disconnect();
    const [code] = await ended;
    if (code !== 0)
      throw new Error(`The keeper of dockerd ended with ${code}; see ${options.folder}.`);
  }
}

function answers(api: Docker): Promise<boolean> {
  return api.ping().then(
    () => true,
    () => false,
  );
}

async function importBase(
  api: Docker,
  name: string,
  programs?: readonly string[],
  files?: BaseFiles,
): Promise<void> {
  const [repo, tag] = name.split(":");
  const answer = await api.importImage(packBaseImage(programs, files), {
    repo,
    tag,
  });
  const lines: unknown[] = await new Promise((resolve, reject) =>
    api.modem.followProgress(answer, (error, said) => (error ? reject(error) : resolve(said))),
  );
  // A failure comes in a line behind a 200.
  const failed = lines.find((line) => JSON.stringify(line).includes('"error"'));
  if (failed !== undefined) throw new Error(`${name}: ${JSON.stringify(failed)}`);
}
