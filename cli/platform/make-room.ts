import { statfs } from "node:fs/promises";
import type { Artifact } from "#ledger/types/artifact.ts";
import type { UnixMs } from "#ledger/types/unix-ms.ts";
import {
  dropCaches,
  forgetArtifacts,
  type GarbageTools,
  IDLE_MS,
  sweepArtifacts,
} from "./collect-garbage.ts";
import { decideEvictions, type Evictable, sumBytes } from "./decide-garbage.ts";
import { type DiskGate, type DiskUse, decideExcess } from "./disk-gate.ts";
import { findCaches } from "./find-caches.ts";
import { measureFolder } from "./measure-folder.ts";
import { digestsOf, rankArtifacts } from "./rank-artifacts.ts";

/** A disk that stays full is not walked through more often than this. */
const LOOK_AGAIN_MS = 60_000;

export type RoomTools = GarbageTools & {
  readonly gate: DiskGate;
  /** Have git take no more of the disk for the forge's repositories than it has to. */
  readonly packRepositories: () => Promise<void>;
};

export type Room = {
  /**
   * Look at the disk; above the ceiling drop caches and logs, then artefacts of earlier releases, oldest
   * first, and pack repositories, which hold their owners' only copy. What is left closes the gate.
   */
  makeRoom(): Promise<void>;
  /** The same when the disk has become short, or still is; cheap while it is not. */
  makeRoomIfShort(): Promise<void>;
};

export function createRoom(tools: RoomTools): Room {
  const { dataFolder, settings, gate, log } = tools;
  const now = tools.now ?? Date.now;
  let lookedAt = Number.NEGATIVE_INFINITY;
  let packedAt = Number.NEGATIVE_INFINITY;

  return { makeRoom, makeRoomIfShort };

  async function makeRoom(): Promise<void> {
    const before = await measure();
    const excess = decideExcess(before, gate.settings);
    if (excess === 0) return gate.look(before);
    let freed = await evictCaches(tools, excess, now());
    if (freed < excess) freed += await evictArtifacts(tools, excess - freed, now());
    if (freed < excess) await pack();
    const { usedBytes, freeBytes } = await measure();
    gate.look({ usedBytes, freeBytes });
    const refusal = gate.refusal() ?? "";
    log.warn("disk-short", { used_bytes: usedBytes, free_bytes: freeBytes, freed, refusal });
  }

  async function makeRoomIfShort(): Promise<void> {
    if (now() - lookedAt < LOOK_AGAIN_MS) return;
    const isShort = (await freeBytesOf(dataFolder)) < gate.settings.reserveBytes;
    if (isShort || gate.refusal() !== undefined) await makeRoom();
  }

  async function measure(): Promise<DiskUse> {
    const usedBytes = (await measureFolder(dataFolder)).bytes;
    lookedAt = now();
    return { usedBytes, freeBytes: await freeBytesOf(dataFolder) };
  }

  async function pack(): Promise<void> {
    if (now() - packedAt < settings.intervalMs) return;
    packedAt = now();
    await tools.packRepositories();
  }
}

/** Bytes that were given back. */
async function evictCaches(
  { dataFolder, ledger, log }: RoomTools,
  excess: number,
  now: UnixMs,
): Promise<number> {
  const evicted = decideEvictions(await findCaches(dataFolder, ledger), excess, IDLE_MS, now);
  await dropCaches(evicted, log);
  return sumBytes(evicted);
}

/** Bytes that were given back; functions cannot go back to what went. */
async function evictArtifacts(tools: RoomTools, excess: number, now: UnixMs): Promise<number> {
  const running = digestsOf(await tools.runningImages());
  // As in `collectArtifacts`: one turn from here to the last row, and the rows before the folders.
  const evicted = decideEvictions(listContents(tools, running), excess, IDLE_MS, now);
  for (const { artifacts } of evicted) forgetArtifacts(tools.ledger, artifacts, tools.log);
  const gone = new Set(await sweepArtifacts(tools, running));
  return sumBytes(evicted.filter(({ path }) => gone.has(path)));
}

type Content = Evictable & { readonly artifacts: readonly Artifact[] };

/** What is stored under each digest, for whichever owners and keys. */
function listContents({ ledger }: RoomTools, running: ReadonlySet<string>): readonly Content[] {
  const all = ledger.listArtifacts();
  const needed = new Set<string>(running);
  for (const [ownerId, owned] of Map.groupBy(all, (one) => one.ownerId)) {
    const ranks = rankArtifacts(ledger, ownerId, owned, running);
    for (const [digest, rank] of ranks) if (rank === 0) needed.add(digest);
  }
  return [...Map.groupBy(all, ({ digest }) => digest)].map(([digest, artifacts]) => ({
    path: digest,
    bytes: Math.max(...artifacts.map(({ sizeBytes }) => sizeBytes)),
    usedAt: Math.max(...artifacts.map(({ createdAt }) => createdAt)),
    inUse: needed.has(digest),
    artifacts,
  }));
}

async function freeBytesOf(path: string): Promise<number> {
  const { bavail, bsize } = await statfs(path);
  return bavail * bsize;
}
