import { rm } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { writeDurably } from "#sdk/durable-file.ts";
import { listSettings } from "#sdk/env.ts";
import { describe } from "#sdk/errors.ts";
import { createLog, type Log } from "#sdk/log.ts";
import { readConfig as readPushConfig } from "../../functions/github-push/config.ts";
import type { PushToken } from "../git/push-folder.ts";
import { runningFile } from "../running-file.ts";
import { createAdmin } from "./admin.ts";
import { readGarbageSettings } from "./collect-garbage.ts";
import { collectLeftovers } from "./collect-leftovers.ts";
import { collectSecrets } from "./collect-secrets.ts";
import { followEngine } from "./follow-engine.ts";
import { type Foundation, type PlatformOptions, type Stop, startFoundation } from "./foundation.ts";
import { startIntake } from "./intake.ts";
import { startKeepingVersions } from "./keep-versions.ts";
import { serveRoom } from "./serve-room.ts";
import { startGarbage } from "./start-garbage.ts";
import { type Rooms, startRooms } from "./start-rooms.ts";
import { startSweeper } from "./sweeper.ts";

/** Longest wait for the gateway to see the provider, in milliseconds. */
const READY_LIMIT_MS = 15_000;

export type Platform = {
  /** `http://127.0.0.1:8080/` */
  readonly url: string;
  createToken(owner: string): PushToken;
  /** Whether functions run on when the platform has stopped. */
  readonly keepsFunctions: boolean;
  /** Drain and stop everything, within ten seconds. */
  close(): Promise<void>;
};

/**
 * Start every part on one machine; the first push works when it resolves. What was started is stopped
 * again, last first, at the end or when a later part fails.
 */
export async function startPlatform(options: PlatformOptions): Promise<Platform> {
  const stops: Stop[] = [];
  const onStop = (stop: Stop) => void stops.push(stop);
  const close = () => stopAll(stops, createLog(options.writeLog));
  try {
    const base = await startFoundation(options, onStop);
    const rooms = await startRooms(base, onStop);
    await begin(base, rooms, onStop);
    return {
      url: base.url,
      keepsFunctions: base.engineKind === "docker",
      createToken(owner) {
        const { user, token } = rooms.forge.createToken(owner);
        return { owner: user.login, token };
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Everything is open: serve what was deployed, go on with what was promised, and tell where we are. */
async function begin(
  base: Foundation,
  { engine, builder, functions, queue, forge, apps, garbage, room }: Rooms,
  onStop: (stop: Stop) => void,
): Promise<void> {
  const { ledger, gateway, policy, settings, sockets, data, url, log } = base;
  const { status } = functions;
  await engine.ready;
  await gatewayReady(url);
  const { urls } = readPushConfig(settings.env);
  const sendDue = () => status.sendDue(log);
  onStop(await followEngine({ ledger, engine: engine.engine, urls, sendDue, log }));
  const kept = readGarbageSettings(settings.env);
  const { intervalMs, keepReleases } = kept;
  onStop(startKeepingVersions({ ledger, engine: engine.engine, keepReleases }));
  await queue.start();
  await forge.start();
  const sweeper = startSweeper({ ledger, gateway, status, log });
  onStop(() => sweeper.stop());
  const gone = { ledger, engine: engine.engine, dataFolder: data.path, settings: kept, log };
  const collectGone = [
    () => collectSecrets(gone, Date.now()),
    () => collectLeftovers(gone, Date.now()),
  ];
  onStop(startGarbage({ garbage, room, collectGone, intervalMs, log }));
  onStop(startIntake({ ledger, apps, gateway, env: settings.env, status, log }));

  const listed = listSettings(settings.env);
  const tools = { ledger, gateway, queue, forge, policy, keepReleases, publicUrl: url, log };
  const bases = builder.bases && { bases: builder.bases };
  const admin = createAdmin({ ...tools, ...bases, engine: engine.engine, settings: listed });
  onStop(await serveRoom(sockets.admin, admin, log));
  const socket = sockets.admin.slice("unix:".length);
  await writeDurably(runningFile(data.path), JSON.stringify({ pid: process.pid, url, socket }));
  onStop(() => rm(runningFile(data.path), { force: true }));
}

/** The gateway has seen the provider's endpoints. */
async function gatewayReady(url: string): Promise<void> {
  const deadline = Date.now() + READY_LIMIT_MS;
  for (;;) {
    const response = await fetch(new URL("ready", url));
    const text = await response.text();
    if (response.ok) return;
    if (Date.now() > deadline) throw new Error(`The gateway is not ready: ${text.trim()}`);
    await sleep(20);
  }
}

/** Last first; a part that does not stop as it should must not keep the others running. */
async function stopAll(stops: Stop[], log: Log): Promise<void> {
  for (let stop = stops.pop(); stop !== undefined; stop = stops.pop()) {
    try {
      await stop();
    } catch (error) {
      log.error("part-not-stopped", { error: describe(error) });
    }
  }
}
