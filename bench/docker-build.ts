import { spawn } from "node:child_process";
import { once } from "node:events";
import { access, constants } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { pipeline } from "node:stream/promises";

/** Build a tar, given on its standard input, with Docker's own client. */
export type DockerBuild = (tar: AsyncIterable<Uint8Array>) => Promise<void>;

/**
 * The first client on the PATH that builds with BuildKit, as those do that brought it along and those that have
 * buildx; throws when there is none. `pack` gives a tar to try.
 */
export async function findDockerBuild(
  socketPath: string,
  pack: () => AsyncIterable<Uint8Array>,
): Promise<DockerBuild> {
  const refused: string[] = [];
  for (const folder of (process.env.PATH ?? "").split(delimiter)) {
    const program = join(folder, "docker");
    const isThere = await access(program, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (!isThere) continue;
    const build: DockerBuild = (tar) => run(program, socketPath, tar);
    const failure = await build(pack()).then(
      () => undefined,
      (error: unknown) => String(error),
    );
    if (failure === undefined) return build;
    refused.push(failure);
  }
  const why = refused.join("; ") || "there is no docker on the PATH";
  throw new Error(`No Docker client here builds with BuildKit (install docker-buildx): ${why}`);
}

async function run(
  program: string,
  socketPath: string,
  tar: AsyncIterable<Uint8Array>,
): Promise<void> {
  const args = ["build", "--quiet", "--network", "none", "--tag", "bench:1", "-"];
  const client = spawn(program, args, {
    stdio: ["pipe", "ignore", "ignore"],
    env: { ...process.env, DOCKER_HOST: `unix://${socketPath}`, DOCKER_BUILDKIT: "1" },
  });
  const ended = once(client, "exit");
  // One that ends early does not read on, and its exit code says it.
  const sending = pipeline(tar, client.stdin).catch(() => {});
  const [code] = await ended;
  await sending;
  if (code !== 0) throw new Error(`${program} build ended with ${code}`);
}
