import { Code, ConnectError } from "@connectrpc/connect";
import { HttpError } from "#sdk/errors.ts";
import type { BuildkitAddress } from "./address.ts";
import { type Connection, connect } from "./connect.ts";
import { explainFailure } from "./explain-failure.ts";
import type { CacheRecord } from "./generated/control_pb.ts";
import type { ImageBuild } from "./image-build.ts";
import { type Exporter, solve } from "./solve.ts";

type BuiltImage = {
  /**
   * `sha256:…` of the manifest where the daemon knows it, else of the image's configuration (its id); absent
   * for one that was not to be pushed by a daemon that keeps none.
   */
  readonly digest?: string;
  /** The image lies in the daemon's store and nowhere else. */
  readonly local: boolean;
};

type BuildkitWorker = {
  readonly id: string;
  /** `linux/amd64`. */
  readonly platforms: readonly string[];
  /** Whether it can push by itself; the one inside dockerd cannot, unless dockerd keeps images in containerd. */
  readonly pushes: boolean;
};

type CacheUse = {
  readonly id: string;
  readonly description: string;
  readonly sizeBytes: number;
  readonly inUse: boolean;
};

export type Buildkit = {
  build(build: ImageBuild): Promise<BuiltImage>;
  /** Also the question whether it answers; rejects with 503. */
  listWorkers(): Promise<readonly BuildkitWorker[]>;
  /** `undefined` where the daemon is too old to say. */
  readVersion(): Promise<string | undefined>;
  readDiskUsage(): Promise<readonly CacheUse[]>;
  /** Remove cache that is not in use until at most `keepBytes` are left; resolves with the bytes that went. */
  prune(keepBytes: number): Promise<number>;
};

const QUESTION_LIMIT_MS = 10_000;
const PRUNE_LIMIT_MS = 10 * 60_000;

/** BuildKit at an address, inside a Docker engine or on its own. Nothing is opened before it is asked. */
export function openBuildkit(address: BuildkitAddress): Buildkit {
  // Asked once: to list workers, BuildKit starts a program for each foreign platform to see whether it runs.
  let pushes: boolean | undefined;
  return {
    async build(build) {
      const { exporter, response } = await solve(address, build, async (control, signal) => {
        pushes ??= (await workersOf(control, signal))[0]?.pushes ?? false;
        return pickExporter(build, address, pushes);
      }).catch((error: unknown) => {
        // Another daemon, or the same with another store, may have taken its place.
        pushes = undefined;
        throw error;
      });
      const digest = response["containerimage.digest"];
      if (digest === undefined && exporter !== undefined)
        throw new HttpError(502, "no-digest", "BuildKit built an image and gave no digest of it.");
      return { ...(digest === undefined ? {} : { digest }), local: exporter?.type === "moby" };
    },
    listWorkers: () => ask(({ control }, signal) => workersOf(control, signal)),
    async readVersion() {
      try {
        const { version } = await ask((connection, signal) =>
          connection.control.info({}, { signal }),
        );
        return version?.version;
      } catch (error) {
        if (error instanceof ConnectError && error.code === Code.Unimplemented) return undefined;
        throw error;
      }
    },
    async readDiskUsage() {
      const { record } = await ask(({ control }, signal) => control.diskUsage({}, { signal }));
      return record.map(toCacheUse);
    },
    prune(keepBytes) {
      return ask(async ({ control }, signal) => {
        let bytes = 0n;
        const wanted = { keepBytes: BigInt(keepBytes), maxUsedSpace: BigInt(keepBytes), all: true };
        for await (const { size } of control.prune(wanted, { signal })) bytes += size;
        return Number(bytes);
      }, PRUNE_LIMIT_MS);
    },
  };

  async function ask<T>(
    question: (connection: Connection, signal: AbortSignal) => Promise<T>,
    limitMs = QUESTION_LIMIT_MS,
  ): Promise<T> {
    const signal = AbortSignal.timeout(limitMs);
    const connection = await connect(address, signal);
    try {
      return await question(connection, signal);
    } catch (error) {
      if (error instanceof ConnectError && error.code === Code.Unimplemented) throw error;
      throw explainFailure(error, true, []);
    } finally {
      connection.close();
    }
  }
}

async function workersOf(
  control: Connection["control"],
  signal: AbortSignal,
): Promise<readonly BuildkitWorker[]> {
  const { record } = await control.listWorkers({}, { signal });
  return record.map(({ id, labels, platforms }) => ({
    id,
    platforms: platforms.map(({ os, architecture }) => `${os}/${architecture}`),
    pushes: labels["org.mobyproject.buildkit.worker.executor"] !== undefined,
  }));
}

/** Whoever cannot push is inside a Docker engine and keeps images there; a standalone one keeps their steps. */
function pickExporter(
  build: ImageBuild,
  { kind }: BuildkitAddress,
  pushes: boolean,
): Exporter | undefined {
  const attrs = { name: build.image };
  if (build.push && pushes) return { type: "image", attrs: { ...attrs, push: "true" } };
  return kind === "docker" || !pushes ? { type: "moby", attrs } : undefined;
}

function toCacheUse({ id, description, size, inUse }: CacheRecord): CacheUse {
  return { id, description, sizeBytes: Number(size), inUse };
}
