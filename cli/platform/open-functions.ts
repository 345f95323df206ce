import { join } from "node:path";
import type { Ledger } from "#ledger/types/ledger.ts";
import type { Env } from "#sdk/env.ts";
import type { GatewayClient } from "#sdk/gateway-client.ts";
import type { GithubApps } from "#sdk/github-app.ts";
import type { PayloadKey } from "#sdk/internal-signature.ts";
import { createFileObjects } from "#sdk/object-store.ts";
import { readConfig as readAuditConfig } from "../../functions/audit-event/config.ts";
import { createHandler as createAuditEvent } from "../../functions/audit-event/handler.ts";
import { createHandler as createBuildshiprun } from "../../functions/buildshiprun/handler.ts";
import { createHandler as createGarbageCollect } from "../../functions/garbage-collect/handler.ts";
import { readConfig as readTarConfig } from "../../functions/git-tar/config.ts";
import { createHandler as createGitTar } from "../../functions/git-tar/handler.ts";
import type { RunTools } from "../../functions/git-tar/run-build.ts";
import { readConfig as readEventConfig } from "../../functions/github-event/config.ts";
import { createCustomers } from "../../functions/github-event/customers.ts";
import { createHandler as createGithubEvent } from "../../functions/github-event/handler.ts";
import type { Source } from "../../functions/github-event/identify-source.ts";
import { readConfig as readPushConfig } from "../../functions/github-push/config.ts";
import { createHandler as createGithubPush } from "../../functions/github-push/handler.ts";
import { readConfig as readStatusConfig } from "../../functions/github-status/config.ts";
import { createGithubStatus, type GithubStatus } from "../../functions/github-status/handler.ts";
import { createHandler as createListFunctions } from "../../functions/list-functions/handler.ts";
import { readConfig as readLogConfig } from "../../functions/pipeline-log/config.ts";
import { createHandler as createPipelineLog } from "../../functions/pipeline-log/handler.ts";
import type { HostedFunctions } from "./functions-host.ts";

export type FunctionTools = {
  readonly env: Env;
  readonly dataFolder: string;
  /** The ledger as intake sees it. */
  readonly ledger: Ledger;
  readonly gateway: GatewayClient;
  readonly gatewayUrl: string;
  readonly payloadKey: PayloadKey;
  readonly sources: readonly Source[];
  readonly apps: GithubApps;
  readonly openSource: RunTools["openSource"];
  readonly makeRoom: NonNullable<RunTools["makeRoom"]>;
  readonly refuseMore: NonNullable<RunTools["refuseMore"]>;
};

export type PipelineFunctions = {
  readonly handlers: HostedFunctions;
  readonly status: GithubStatus;
};

/** The pipeline's functions, as they run together in one process. */
export function openFunctions(tools: FunctionTools): PipelineFunctions {
  const { env, ledger, gateway, gatewayUrl, payloadKey, apps } = tools;
  const eventConfig = readEventConfig(env);
  const pushConfig = readPushConfig(env);
  const status = createGithubStatus({ config: readStatusConfig(env), ledger, apps, gateway });
  const objects = createFileObjects(join(tools.dataFolder, "objects", "v1"));

  const handlers: HostedFunctions = {
    "github-event": createGithubEvent({
      config: eventConfig,
      sources: tools.sources,
      customers: createCustomers({ config: eventConfig }),
      ledger,
      gateway,
    }),
    "github-push": createGithubPush({ config: pushConfig, ledger, gateway }),
    "git-tar": createGitTar({
      ledger,
      gateway,
      openSource: tools.openSource,
      ...readTarConfig(env),
      makeRoom: tools.makeRoom,
      refuseMore: tools.refuseMore,
      worker: `pid-${process.pid}`,
    }),
    buildshiprun: createBuildshiprun({
      ledger,
      gateway,
      builderUrl: gatewayUrl,
      fetch,
      key: payloadKey,
      now: Date.now,
    }),
    "github-status": status.handler,
    "list-functions": createListFunctions({ ledger, gateway }),
    "pipeline-log": createPipelineLog({ config: readLogConfig(env), ledger, objects }),
    "audit-event": createAuditEvent({ config: readAuditConfig(env), ledger }),
    "garbage-collect": createGarbageCollect({ ledger, gateway, objects }),
  };
  return { handlers, status };
}
