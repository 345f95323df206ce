import { rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { withDeathSignal } from "#sdk/death-signal.ts";
import type { Artifact } from "./artifact.ts";
import { createNewRoot, formatMounts, type NewRoot, SANDBOX_FOLDER } from "./new-root.ts";
import { createReplicaFolder, SOCKET_PATH } from "./replica-folder.ts";
import type { Settings } from "./settings.ts";
import { formatExit, type Launch, startProcess } from "./start-process.ts";

/** How much of the machine a replica sees; `user` is who it runs as, where that is not the platform. */
type IsolationKind = "root-namespaces" | "user-namespaces" | "none";

export type Isolation = {
  readonly kind: IsolationKind;
  /** For people, at start. */
  readonly text: string;
  /** Program, arguments and paths as the replica sees them. */
  launch(request: LaunchRequest): Launch;
};

type LaunchRequest = {
  readonly artifact: Artifact;
  /** The replica's own folder, with `socket/`, `secrets/` and `tmp/` in it. */
  readonly folder: string;
  /** Given where the platform is root. */
  readonly userId: number;
};

/** Find the strongest isolation that works here, by trying it. `folder` is used for the new root. */
export async function findIsolation(folder: string, settings: Settings): Promise<Isolation> {
  if (settings.isolation === "none") return createPlain(settings, "as asked for");
  const root = await createNewRoot(join(folder, "root"));
  const isolation = createNamespaced(root, settings, process.getuid?.() === 0);
  const problem = await tryOut(isolation, join(folder, "try"), settings.firstUserId);
  return problem === undefined ? isolation : createPlain(settings, problem);
}

function createNamespaced(root: NewRoot, settings: Settings, asRoot: boolean): Isolation {
  return {
    kind: asRoot ? "root-namespaces" : "user-namespaces",
    text: asRoot
      ? "own user, mounts and processes for each replica; the network is shared"
      : "own mounts and processes for each replica, all as your user; the network is shared",
    launch: ({ artifact, folder, userId }) => ({
      file: "setpriv",
      args: [
        ...["--pdeathsig", "KILL", "unshare"],
        ...(asRoot ? [] : ["--user", "--map-current-user", "--keep-caps"]),
        ...["--mount", "--propagation", "private", "--pid", "--fork", "--kill-child", "--"],
        ...["/bin/sh", join(SANDBOX_FOLDER, "enter.sh"), root.path, asRoot ? String(userId) : "-"],
        ...[folder, formatMounts(root, mountsOf(artifact, folder, settings))],
        String(settings.processLimit),
        ...resolveCommand(artifact, "/platform/bin/node", "/platform/watchdog/main.ts"),
        ...["--listen", "/run/function/http.sock"],
      ],
      cwd: "/",
      path: `/platform/bin:${settings.path}`,
      home: "/home/app",
      tmp: "/tmp",
      enters: true,
    }),
  };
}

function mountsOf(artifact: Artifact, folder: string, settings: Settings) {
  return {
    folder,
    artifactRoot: artifact.root,
    node: process.execPath,
    project: artifact.command[0] === "watchdog" ? settings.projectFolder : undefined,
    tmpLimit: settings.tmpLimit,
  };
}

function createPlain(settings: Settings, why: string): Isolation {
  const watchdog = join(settings.projectFolder, "watchdog", "main.ts");
  return {
    kind: "none",
    text: `none (${why}): functions run as your user and can read what you can`,
    launch({ artifact, folder }) {
      const [program, ...rest] = resolveCommand(artifact, process.execPath, watchdog);
      const args = [...rest, "--listen", join(folder, SOCKET_PATH)];
      const tmp = join(folder, "tmp");
      const secrets = join(folder, "secrets");
      return {
        ...withDeathSignal({ file: program, args }),
        cwd: artifact.root,
        path: `${dirname(process.execPath)}:${settings.path}`,
        home: tmp,
        tmp,
        secrets,
        enters: false,
      };
    },
  };
}

function resolveCommand(artifact: Artifact, node: string, watchdog: string): [string, ...string[]] {
  const [program, ...args] = artifact.command;
  if (program === "node") return [node, ...args];
  if (program === "watchdog") return [node, watchdog, ...args];
  return [program, ...args];
}

/** Why a replica could not be started this way, or `undefined`. */
async function tryOut(
  isolation: Isolation,
  folder: string,
  userId: number,
): Promise<string | undefined> {
  await createReplicaFolder(folder, userId);
  const artifact: Artifact = {
    root: join(folder, "tmp"),
    command: ["node", "-e", "0", "--"],
    env: {},
  };
  const started = startProcess(isolation.launch({ artifact, folder, userId }), {});
  let output = "";
  for (const stream of started.output)
    stream.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
  const end = await started.ended;
  await rm(folder, { recursive: true, force: true });
  if (end.code === 0) return undefined;
  return `namespaces do not work here: ${output.trim().split("\n").at(-1) || formatExit(end)}`;
}
