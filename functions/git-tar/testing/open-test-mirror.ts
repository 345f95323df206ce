import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silentLog } from "#sdk/log.ts";
import { MIRROR_LIMITS, type Mirror, type MirrorOptions, openMirror } from "../mirror.ts";
import { type GitServer, type GitServerOptions, startGitServer } from "./git-server.ts";

export type TestMirror = {
  readonly server: GitServer;
  readonly mirror: Mirror;
  readonly options: MirrorOptions;
  /** Open the same folder again, as another build does. */
  reopen(changes?: Partial<MirrorOptions>): Mirror;
  close(): Promise<void>;
};

/** A served repository and an empty mirror of it, both in temporary folders. */
export async function openTestMirror(
  given: GitServerOptions & { readonly limits?: Partial<MirrorOptions["limits"]> },
): Promise<TestMirror> {
  const server = await startGitServer(given);
  const folder = await mkdtemp(join(tmpdir(), "mirror-"));
  const options: MirrorOptions = {
    folder: join(folder, "github", "1.git"),
    cloneUrl: server.cloneUrl,
    origins: [server.origin],
    credential: async () => given.login,
    environment: given.environment,
    limits: { ...MIRROR_LIMITS, ...given.limits },
    log: silentLog,
  };
  return {
    server,
    options,
    mirror: openMirror(options),
    reopen: (changes = {}) => openMirror({ ...options, ...changes }),
    async close() {
      await server.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
