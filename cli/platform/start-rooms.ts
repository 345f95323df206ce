import type { Engine } from "#provider/provider.ts";
import type { PinBases } from "#sdk/base-pin.ts";
import { createGithubApps, type GithubApps } from "#sdk/github-app.ts";
import type { Forge } from "../../forge/forge.ts";
import { openForge } from "../../forge/open-forge.ts";
import { readForgeSettings } from "../../forge/settings.ts";
import type { FindFunction } from "../../queue/handler.ts";
import { openQueue, type Queue } from "../../queue/queue.ts";
import { readQueueSettings } from "../../queue/settings.ts";
import {
  createGarbage,
  type Garbage,
  type GarbageTools,
  readGarbageSettings,
} from "./collect-garbage.ts";
import { describeQueue } from "./describe-queue.ts";
import { createDiskGate, type DiskGate, readDiskSettings } from "./disk-gate.ts";
import { followBuild } from "./follow-build.ts";
import type { Foundation, Stop } from "./foundation.ts";
import { hostFunctions } from "./functions-host.ts";
import { readGitVersion } from "./git-version.ts";
import { githubSources, webhookSources } from "./github-sources.ts";
import { createRoom, type Room } from "./make-room.ts";
import { type OpenedBuilder, openBuilder } from "./open-builder.ts";
import { type OpenedEngine, openEngine } from "./open-engine.ts";
import { type FunctionTools, openFunctions, type PipelineFunctions } from "./open-functions.ts";
import { openSources } from "./open-sources.ts";
import { guardLedger } from "./owner-policy.ts";
import { serveRoom } from "./serve-room.ts";

export type Rooms = {
  readonly engine: OpenedEngine;
  readonly builder: OpenedBuilder;
  readonly functions: PipelineFunctions;
  readonly queue: Queue;
  readonly forge: Forge;
  readonly apps: GithubApps;
  readonly garbage: Garbage;
  readonly room: Room;
};

/**
 * Open every room side by side, each on its socket. They stop in the opposite order of this list, the
 * gateway between what calls through it and what its callers need.
 */
export async function startRooms(base: Foundation, onStop: (stop: Stop) => void): Promise<Rooms> {
  const apps = createGithubApps({ sources: githubSources(base.settings, base.url, base.secrets) });
  // Functions may ask for room on the disk, which the rooms beside them give back.
  const garbage = Promise.withResolvers<Garbage>();
  const makeRoom = async () => void (await (await garbage.promise).collectArtifacts());
  const gate = createDiskGate(readDiskSettings(base.settings.env));
  const enginePart = startEngine(base);
  const builderPart = startBuilder(base, enginePart);
  const pinBases: PinBases = async (references) =>
    (await builderPart).opened.bases?.pin(references) ?? {};
  const opened = await Promise.allSettled([
    enginePart,
    builderPart,
    startFunctions(base, apps, { makeRoom, refuseMore: gate.refusal }, pinBases),
    startGatewayStop(base),
    startQueue(base, async (name) => (await enginePart).opened.engine.status(name)),
    startForge(base, gate),
  ]);
  for (const one of opened) if (one.status === "fulfilled") onStop(one.value.stop);

  const [engine, builder, functions, gateway, queue, forge] = opened;
  resultOf(gateway);
  const from = garbageTools(base, resultOf(engine).opened.engine, resultOf(builder).opened);
  const { opened: openedForge } = resultOf(forge);
  garbage.resolve(createGarbage(from));
  return {
    engine: resultOf(engine).opened,
    builder: resultOf(builder).opened,
    garbage: await garbage.promise,
    room: createRoom({ ...from, gate, packRepositories: openedForge.pack }),
    functions: resultOf(functions).opened,
    queue: resultOf(queue).opened,
    forge: openedForge,
    apps,
  };
}

function garbageTools(
  base: Foundation,
  engine: Engine,
  { artifacts }: OpenedBuilder,
): GarbageTools {
  const { data, ledger, settings, log } = base;
  return {
    dataFolder: data.path,
    ledger,
    runningImages: async () => [
      ...(await engine.inventory()).map(({ status }) => status.image),
      ...engine.versionImages(),
    ],
    artifacts,
    settings: readGarbageSettings(settings.env),
    log,
  };
}

type Opened<T> = { readonly opened: T; readonly stop: Stop };

function resultOf<T>(result: PromiseSettledResult<T>): T {
  if (result.status === "rejected") throw result.reason;
  return result.value;
}

/** Stop serving, then end what served. */
function inTurn(...stops: readonly Stop[]): Stop {
  return async () => {
    for (const stop of stops) await stop();
  };
}

async function startEngine(base: Foundation): Promise<Opened<OpenedEngine>> {
  const { part, settings, sockets, log } = base;
  const opened = await part(
    "engine",
    () => openEngine(base),
    ({ words }) => words,
  );
  const unserve = await serveRoom(sockets.provider, opened.handler, log);
  return { opened, stop: inTurn(unserve, () => opened.engine.close(settings.drainMs)) };
}

async function startBuilder(
  base: Foundation,
  engine: Promise<unknown>,
): Promise<Opened<OpenedBuilder>> {
  const { part, sockets, log } = base;
  const opened = await part(
    "builder",
    () => openBuilder(base, engine),
    ({ words }) => words,
  );
  const unserve = await serveRoom(sockets.builder, opened.handler, log);
  return { opened, stop: inTurn(unserve, () => opened.close()) };
}

async function startFunctions(
  base: Foundation,
  apps: GithubApps,
  disk: Pick<FunctionTools, "makeRoom" | "refuseMore">,
  pinBases: PinBases,
): Promise<Opened<PipelineFunctions>> {
  const { part, data, secrets, settings, sockets, ledger, policy, gateway, url, log } = base;
  const opened = await part(
    "functions",
    async () =>
      openFunctions({
        env: settings.env,
        dataFolder: data.path,
        ledger: guardLedger(ledger, policy),
        gateway,
        gatewayUrl: url,
        payloadKey: secrets.payloadKey,
        sources: webhookSources(secrets),
        apps,
        openSource: await openSources(base, apps, pinBases),
        ...disk,
      }),
    ({ handlers }) => Object.keys(handlers).join(", "),
  );
  return { opened, stop: await serveRoom(sockets.functions, hostFunctions(opened.handlers), log) };
}

/** The gateway runs already; this is its place in the order of stopping. */
async function startGatewayStop({ gatewayChild, settings }: Foundation): Promise<Opened<void>> {
  return { opened: undefined, stop: () => gatewayChild.close(settings.drainMs) };
}

async function startQueue(base: Foundation, find: FindFunction): Promise<Opened<Queue>> {
  const { part, data, secrets, settings, sockets, url, log } = base;
  const opened = await part(
    "queue",
    () =>
      openQueue({
        dataFolder: data.path,
        runFolder: data.run,
        redisUrl: settings.redisUrl,
        path: settings.queueBackend === "embedded" ? "" : settings.env.PATH,
        gatewayUrl: url,
        payloadKey: secrets.payloadKey,
        settings: readQueueSettings(settings.env).settings,
        find,
        log,
      }),
    describeQueue,
  );
  const unserve = await serveRoom(sockets.queue, opened.handler, log);
  return { opened, stop: inTurn(unserve, () => opened.close(settings.drainMs)) };
}

async function startForge(base: Foundation, gate: DiskGate): Promise<Opened<Forge>> {
  const { part, data, secrets, settings, sockets, gateway, url, log } = base;
  const { opened } = await part(
    "forge",
    async () => {
      const git = await readGitVersion(settings.env.PATH);
      if (git.warning !== undefined) log.warn("git-outdated", { warning: git.warning });
      const forge = await openForge({
        dataFolder: data.path,
        publicUrl: url,
        webhookUrl: `${url}github-event`,
        webhookSecret: secrets.forgeWebhookSecret,
        appId: 1,
        appPublicKeyPem: secrets.publicKey,
        followBuild: (key, signal) => followBuild(gateway, key, signal),
        settings: readForgeSettings(settings.env),
        refusePush: gate.refusal,
        log,
      });
      return { opened: forge, git };
    },
    ({ git: { text, warning } }) =>
      `${url}git/<owner>/<repository>.git, git ${text}${warning === undefined ? "" : " (old; ./ofc doctor says why)"}`,
  );
  const unserve = await serveRoom(sockets.forge, opened.handler, log);
  return { opened, stop: inTurn(unserve, () => opened.close()) };
}
