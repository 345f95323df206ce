import type Docker from "dockerode";
import { z } from "zod";
import { errorCode } from "#sdk/errors.ts";
import type { Settings } from "./settings.ts";

/** dockerd's API; `dockerode` is loaded with the first connection. */
export type DockerApi = {
  /** For calls that answer soon. */
  readonly calls: Docker;
  /** For waits and streams, which may be silent for days. */
  readonly streams: Docker;
  readonly socketPath: string;
  readonly info: DockerInfo;
};

type DockerInfo = z.infer<typeof info>;

const info = z.object({
  ServerVersion: z.string(),
  OSType: z.string(),
  OperatingSystem: z.string(),
  NCPU: z.number(),
  Runtimes: z.record(z.string(), z.unknown()),
  DockerRootDir: z.string(),
  CgroupDriver: z.string(),
  CgroupVersion: z.string().default("1"),
  SecurityOptions: z.array(z.string()).nullish(),
});

const DEFAULT_SOCKET = "/var/run/docker.sock";

/** Connect and look whether functions can run there; the error says what to do when they cannot. */
export async function connectDocker(
  dockerHost: string | undefined,
  settings: Pick<Settings, "dockerTimeoutMs" | "ociRuntime">,
): Promise<DockerApi> {
  const socketPath = readSocketPath(dockerHost);
  const { default: DockerClient } = await import("dockerode");
  const calls = new DockerClient({ socketPath, timeout: settings.dockerTimeoutMs });
  const answer: unknown = await calls.info().catch((cause: unknown) => {
    throw new Error(explainFailure(socketPath, cause), { cause });
  });
  const found = info.parse(answer);
  refuseOld(found);
  refuseElsewhere(found);
  refuseRuntime(found, settings.ociRuntime);
  return { calls, streams: new DockerClient({ socketPath }), socketPath, info: found };
}

/** Path in `unix:///…`, the form of DOCKER_HOST that is supported. */
export function readSocketPath(dockerHost: string | undefined): string {
  if (dockerHost === undefined || dockerHost === "") return DEFAULT_SOCKET;
  const path = /^unix:\/\/(\/.+)$/.exec(dockerHost)?.[1];
  if (path !== undefined) return path;
  throw new Error(
    `DOCKER_HOST is ${JSON.stringify(hideCredentials(dockerHost))}: functions run on this machine's own Docker only, because requests go to their addresses and secrets to their files. Unset it, or set unix:///path/to/docker.sock.`,
  );
}

function hideCredentials(url: string): string {
  return url.replace(/\/\/[^/@]*@/, "//…@");
}

/** What happened follows it, as the error's cause. */
function explainFailure(socketPath: string, error: unknown): string {
  switch (errorCode(error)) {
    case "EACCES":
    case "EPERM":
      return `Docker's socket ${socketPath} may not be used by this user: add it to the group docker ("sudo usermod -aG docker $USER", then log in again), or start as root`;
    case "ENOENT":
    case "ECONNREFUSED":
      return `No Docker answers at ${socketPath}: install it ("apt-get install docker.io"), start it ("systemctl start docker"), or name its socket with DOCKER_HOST=unix:///path/to/docker.sock`;
    default:
      return `Docker at ${socketPath} does not work`;
  }
}

/** What takes Docker's place at its socket often has versions of its own, and no BuildKit. */
export function refuseOld({ ServerVersion }: Pick<DockerInfo, "ServerVersion">): void {
  const [, major, minor] = /^(\d+)\.(\d+)/.exec(ServerVersion) ?? [];
  // A build of one's own may say anything.
  if (major === undefined || Number(major) * 100 + Number(minor) >= 2_010) return;
  throw new Error(
    `Docker says its version is ${ServerVersion}; functions need Docker Engine 20.10 or newer.`,
  );
}

/** Docker Desktop and rootless Docker keep containers in a network that this machine does not reach. */
export function refuseElsewhere({ OSType, OperatingSystem, SecurityOptions }: DockerInfo): void {
  if (OSType !== "linux")
    throw new Error(`Docker runs ${OSType} containers; functions need linux.`);
  const rootless = SecurityOptions?.some((one) => one.startsWith("name=rootless"));
  if (!/docker desktop/i.test(OperatingSystem) && rootless !== true) return;
  const what = rootless ? "Rootless Docker" : "Docker Desktop";
  throw new Error(
    `${what} keeps functions' addresses where this machine does not reach them; use Docker Engine on Linux, or --engine process.`,
  );
}

function refuseRuntime({ Runtimes }: DockerInfo, wanted: string): void {
  if (wanted === "" || Object.hasOwn(Runtimes, wanted)) return;
  throw new Error(
    `Docker has no runtime "${wanted}", only ${Object.keys(Runtimes).join(", ")}; add it under "runtimes" in /etc/docker/daemon.json and restart Docker.`,
  );
}

/** HTTP status of a failed Docker call; `undefined` when dockerd did not answer. */
export function dockerStatus(error: unknown): number | undefined {
  const status = error instanceof Error && "statusCode" in error ? error.statusCode : undefined;
  return typeof status === "number" ? status : undefined;
}

/** Dockerd was not there, or went away before it had answered. */
export function isDockerAway(error: unknown): boolean {
  return dockerStatus(error) === undefined && AWAY.includes(errorCode(error) ?? "");
}

const AWAY: readonly string[] = ["ECONNREFUSED", "ECONNRESET", "ENOENT", "EPIPE"];
