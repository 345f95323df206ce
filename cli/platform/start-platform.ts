import { rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { openLedger } from "#ledger/ledger.ts";
import { writeDurably } from "#sdk/durable-file.ts";
import { type Env, listSettings } from "#sdk/env.ts";
import { describe } from "#sdk/errors.ts";
import { createGatewayClient } from "#sdk/gateway-client.ts";
import { createGithubApps } from "#sdk/github-app.ts";
import { createLog, type Log } from "#sdk/log.ts";
import { createBuilder } from "../../builder/builder.ts";
import { openForge } from "../../forge/open-forge.ts";
import { readForgeSettings } from "../../forge/settings.ts";
import { openQueue } from "../../queue/queue.ts";
import { readQueueSettings } from "../../queue/settings.ts";
import { runningFile } from "../admin-client.ts";
import type { PushToken } from "../git/push-folder.ts";
import { createAdmin } from "./admin.ts";
import { chooseEngine } from "./choose-engine.ts";
import { openDataFolder } from "./data-folder.ts";
import { describeQueue } from "./describe-queue.ts";
import { followBuild } from "./follow-build.ts";
import { hostFunctions } from "./functions-host.ts";
import { startGateway } from "./gateway-child.ts";
import { gatewayEnv } from "./gateway-env.ts";
import { githubSources, webhookSources } from "./github-sources.ts";
import { startIntake } from "./intake.ts";
import { openEngine } from "./open-engine.ts";
import { openFunctions } from "./open-functions.ts";
import { openSources } from "./open-sources.ts";
import { createOwnerPolicy, guardLedger } from "./owner-policy.ts";
import { readPlatformSecrets } from "./platform-secrets.ts";
import { createReporter } from "./report-parts.ts";
import { serveRoom, socketUrls } from "./serve-room.ts";
import { readSettings, withPublicUrls } from "./settings.ts";
import { startSweeper } from "./sweeper.ts";

/** Longest wait for the gateway to see the provider, in milliseconds. */
const READY_LIMIT_MS = 15_000;

export type PlatformOptions = {
  /** Folder of the launcher, with gateway_config.yml and github.yml. */
  readonly project: string;
  readonly dataFolder: string;
  /** 0 picks a free one. */
  readonly port: number;
  readonly engine: "auto" | "process" | "docker";
  readonly environment: Env;
  /** One line for people. */
  readonly say: (text: string) => void;
  /** One JSON log line with its newline. */
  readonly writeLog: (line: string) => void;
};

export type Platform = {
  /** `http://127.0.0.1:8080/` */
  readonly url: string;
  createToken(owner: string): PushToken;
  /** Drain and stop everything, within ten seconds. */
  close(): Promise<void>;
};

/**
 * Start every part on one machine, in the order in which they need one another; the first push works when
 * it resolves. What was started is stopped again, last first, at the end or when a later part fails.
 */
export async function startPlatform(options: PlatformOptions): Promise<Platform> {
  const stops: Stop[] = [];
  const close = () => stopAll(stops, createLog(options.writeLog));
  try {
    const parts = await startParts(options, (stop) => stops.push(stop));
    return { ...parts, close };
  } catch (error) {
    await close();
    throw error;
  }
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

type Stop = () => Promise<void> | void;

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

async function startParts(
  options: PlatformOptions,
  onStop: (stop: Stop) => void,
): Promise<Omit<Platform, "close">> {
  const { project, writeLog } = options;
  const log = createLog(writeLog);
  const part = createReporter(options.say);
  const given = await readSettings(project, options.environment);
  const data = await part(
    "data",
    () => openDataFolder(options.dataFolder),
    ({ path }) => path,
  );
  onStop(data.unlock);
  const kind = await chooseEngine(data.path, options.engine);
  const secrets = await readPlatformSecrets(data.secrets);
  const sockets = socketUrls(data.run);

  const ledger = await part(
    "ledger",
    async () => openLedger({ path: join(data.path, "ledger.db") }),
    () => "SQLite; a promise is on disk before it is made",
  );
  onStop(() => ledger.close());
  ledger.voidLeases();
  const policy = createOwnerPolicy(ledger, given.strangersAllowed);

  // Every part reaches the others through the gateway, so it is there first.
  const gatewayChild = await part(
    "gateway",
    () =>
      startGateway(
        project,
        gatewayEnv(given, data.secrets, secrets.payloadKey, sockets, options.port),
        log,
        writeLog,
      ),
    ({ url }) => `${url}, a process of its own`,
  );
  onStop(() => gatewayChild.close(given.drainMs));
  const { url } = gatewayChild;
  const settings = withPublicUrls(given, url);
  const { env } = settings;
  const gateway = createGatewayClient(url, { ...secrets.basicAuth, key: secrets.payloadKey });

  const engine = await part(
    "engine",
    () => openEngine(kind, data, settings, secrets, log),
    ({ words }) => words,
  );
  onStop(() => engine.engine.close(settings.drainMs));
  onStop(await serveRoom(sockets.provider, engine.handler, log));

  const builder = await part(
    "builder",
    async () => createBuilder({ dataFolder: data.path, keys: [secrets.payloadKey], env, log }),
    () => "host builder: templates' install steps as child processes, without lifecycle scripts",
  );
  onStop(() => builder.close());
  onStop(await serveRoom(sockets.builder, builder.handler, log));

  const apps = createGithubApps({ sources: githubSources(settings, url, secrets) });
  const functions = await part(
    "functions",
    async () =>
      openFunctions({
        env,
        dataFolder: data.path,
        ledger: guardLedger(ledger, policy),
        gateway,
        gatewayUrl: url,
        payloadKey: secrets.payloadKey,
        sources: webhookSources(secrets),
        apps,
        openSource: await openSources({
          settings,
          dataFolder: data.path,
          gatewayUrl: url,
          apps,
          engine: kind,
          log,
        }),
        leaseMs: settings.leaseMs,
        concurrency: settings.functionBuildConcurrency,
      }),
    ({ handlers }) => Object.keys(handlers).join(", "),
  );
  onStop(await serveRoom(sockets.functions, hostFunctions(functions.handlers), log));

  // Stopped before what its callers need, after what calls through it.
  onStop(() => gatewayChild.close(settings.drainMs));
  const queue = await part(
    "queue",
    () =>
      openQueue({
        dataFolder: data.path,
        runFolder: data.run,
        redisUrl: settings.redisUrl,
        path: settings.queueBackend === "embedded" ? "" : env.PATH,
        gatewayUrl: url,
        payloadKey: secrets.payloadKey,
        settings: readQueueSettings(env).settings,
        log,
      }),
    describeQueue,
  );
  onStop(() => queue.close(settings.drainMs));
  onStop(await serveRoom(sockets.queue, queue.handler, log));

  const forge = await part(
    "forge",
    () =>
      openForge({
        dataFolder: data.path,
        publicUrl: url,
        webhookUrl: `${url}github-event`,
        webhookSecret: secrets.forgeWebhookSecret,
        appId: 1,
        appPublicKeyPem: secrets.publicKey,
        followBuild: (key, signal) => followBuild(gateway, key, signal),
        settings: readForgeSettings(env),
        log,
      }),
    () => `${url}git/<owner>/<repository>.git`,
  );
  onStop(() => forge.close());
  onStop(await serveRoom(sockets.forge, forge.handler, log));

  await engine.ready;
  await gatewayReady(url);
  await queue.start();
  await forge.start();
  const sweeper = startSweeper({ ledger, gateway, status: functions.status, log });
  onStop(() => sweeper.stop());
  onStop(startIntake({ ledger, apps, gateway, env, status: functions.status, log }));

  const admin = createAdmin({
    ledger,
    gateway,
    queue,
    forge,
    engine: engine.engine,
    policy,
    settings: listSettings(env),
    publicUrl: url,
    log,
  });
  onStop(await serveRoom(sockets.admin, admin, log));
  await writeDurably(
    runningFile(data.path),
    JSON.stringify({ pid: process.pid, url, socket: sockets.admin.slice("unix:".length) }),
  );
  onStop(() => rm(runningFile(data.path), { force: true }));

  return {
    url,
    createToken(owner) {
      const { user, token } = forge.createToken(owner);
      return { owner: user.login, token };
    },
  };
}
