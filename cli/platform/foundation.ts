import { join } from "node:path";
import { openLedger } from "#ledger/ledger.ts";
import type { Ledger } from "#ledger/types/ledger.ts";
import { shareCores } from "#sdk/cores.ts";
import type { Env } from "#sdk/env.ts";
import { createGatewayClient, type GatewayClient } from "#sdk/gateway-client.ts";
import { createLog, type Log } from "#sdk/log.ts";
import { checkSettings } from "./check-settings.ts";
import { chooseEngine, type EngineKind } from "./choose-engine.ts";
import { type DataFolder, openDataFolder } from "./data-folder.ts";
import { createFaultPoint } from "./fault-point.ts";
import { type GatewayChild, startGateway } from "./gateway-child.ts";
import { gatewayEnv } from "./gateway-env.ts";
import { checkDocker } from "./open-engine.ts";
import { createOwnerPolicy, type OwnerPolicy } from "./owner-policy.ts";
import { type PlatformSecrets, readPlatformSecrets } from "./platform-secrets.ts";
import { createReporter, type Reporter } from "./report-parts.ts";
import { type SocketUrls, socketUrls } from "./serve-room.ts";
import { type PlatformSettings, readSettings, withEngine, withPublicUrls } from "./settings.ts";

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

/** Ends one part. */
export type Stop = () => Promise<void> | void;

/** What every room is built on. */
export type Foundation = {
  readonly settings: PlatformSettings;
  readonly data: DataFolder;
  readonly secrets: PlatformSecrets;
  readonly sockets: SocketUrls;
  readonly engineKind: EngineKind;
  readonly ledger: Ledger;
  readonly policy: OwnerPolicy;
  readonly gatewayChild: GatewayChild;
  /** `http://127.0.0.1:8080/` */
  readonly url: string;
  readonly gateway: GatewayClient;
  readonly part: Reporter;
  readonly log: Log;
};

/** Lock the data folder, open the ledger, and start the gateway through which the rooms reach one another. */
export async function startFoundation(
  options: PlatformOptions,
  onStop: (stop: Stop) => void,
): Promise<Foundation> {
  const log = createLog(options.writeLog);
  const onWrite = createFaultPoint(options.environment.OFC_FAULT, {
    die: () => process.kill(process.pid, "SIGKILL"),
    tell: (write) => log.warn("fault-injected", { write }),
  });
  const part = createReporter(options.say);
  const read = await readSettings(options.project, options.environment);
  const data = await part(
    "data",
    () => openDataFolder(options.dataFolder),
    ({ path }) => path,
  );
  onStop(data.unlock);
  const chosen = await chooseEngine(data.path, options.engine, () => checkDocker(read.env));
  if (chosen.whyNotDocker !== undefined) options.say(`not Docker: ${chosen.whyNotDocker}`);
  const given = withEngine(read, chosen.kind);
  await checkSettings(given.env, chosen.kind);
  const secrets = await readPlatformSecrets(data.secrets);
  const sockets = socketUrls(data.run);

  const ledger = await part(
    "ledger",
    async () => openLedger({ path: join(data.path, "ledger.db"), ...(onWrite && { onWrite }) }),
    () => "SQLite; a promise is on disk before it is made",
  );
  onStop(() => ledger.close());
  // The lock proves that whoever held a lease is gone.
  ledger.voidLeases();

  const env = gatewayEnv(given, data.secrets, secrets.payloadKey, sockets, options.port);
  const cores = shareCores(log);
  onStop(cores.close);
  const gatewayChild = await part(
    "gateway",
    () => startGateway(options.project, env, log, options.writeLog, cores.leaveOne),
    ({ url }) => `${url}, a process of its own`,
  );
  onStop(() => gatewayChild.close(given.drainMs));

  const { url } = gatewayChild;
  return {
    settings: withPublicUrls(given, url),
    data,
    secrets,
    sockets,
    engineKind: chosen.kind,
    ledger,
    policy: createOwnerPolicy(ledger, given.strangersAllowed),
    gatewayChild,
    url,
    gateway: createGatewayClient(url, { ...secrets.basicAuth, key: secrets.payloadKey }),
    part,
    log,
  };
}
