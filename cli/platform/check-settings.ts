import { existsSync } from "node:fs";
import { readVersionSettings } from "#provider/engine/read-version-settings.ts";
import { ConfigError, type Env, listSettings } from "#sdk/env.ts";
import { describe } from "#sdk/errors.ts";
import { readBuilderSettings } from "../../builder/settings.ts";
import { readForgeSettings } from "../../forge/settings.ts";
import { readConfig as readAuditConfig } from "../../functions/audit-event/config.ts";
import { readConfig as readTarConfig } from "../../functions/git-tar/config.ts";
import { readConfig as readEventConfig } from "../../functions/github-event/config.ts";
import { readConfig as readPushConfig } from "../../functions/github-push/config.ts";
import { readConfig as readStatusConfig } from "../../functions/github-status/config.ts";
import { readConfig as readLogConfig } from "../../functions/pipeline-log/config.ts";
import { readGatewaySettings } from "../../gateway/config.ts";
import { readQueueSettings } from "../../queue/settings.ts";
import type { EngineKind } from "./choose-engine.ts";
import { readGarbageSettings } from "./collect-garbage.ts";
import { readDiskSettings } from "./disk-gate.ts";
import { readIntakeSettings } from "./intake.ts";

type Read = (env: Env) => unknown;

const OF_ALL: readonly Read[] = [
  readGatewaySettings,
  readVersionSettings,
  readBuilderSettings,
  readForgeSettings,
  readQueueSettings,
  readEventConfig,
  readPushConfig,
  readTarConfig,
  readStatusConfig,
  readLogConfig,
  readAuditConfig,
  readGarbageSettings,
  readDiskSettings,
  readIntakeSettings,
];

/**
 * Read what the gateway, the engine, the functions and the rooms beside them will read, before any of them is started. Throws one error
 * with everything that is wrong, where it is set, and what to do.
 */
export async function checkSettings(env: Env, kind: EngineKind): Promise<void> {
  const reads = kind === "docker" ? [...OF_ALL, ...(await ofDocker())] : OF_ALL;
  const problems = reads.flatMap((read) => findProblems(read, env));
  if (problems.length === 0) return;
  const list = [...new Set(problems)].map((problem) => `  - ${problem}${tellPlace(env, problem)}`);
  throw new Error(
    `Configuration is not usable:\n${list.join("\n")}\nNothing was started; put this right and start again. ./ofc config lists every setting.`,
  );
}

async function ofDocker(): Promise<readonly Read[]> {
  const [connect, engine, rules, addresses, buildkit, images] = await Promise.all([
    import("#provider/docker/connect-docker.ts"),
    import("#provider/docker/read-settings.ts"),
    import("#provider/docker/firewall-rules.ts"),
    import("#provider/docker/addresses.ts"),
    import("../../builder/buildkit/read-address.ts"),
    import("../../builder/image/image-settings.ts"),
  ]);
  return [
    ({ DOCKER_HOST }) => requireSocket(connect.readSocketPath(DOCKER_HOST)),
    engine.readSettings,
    (env) => {
      for (const target of engine.readSettings(env).egressAllow)
        rules.formatTarget(target, "function_egress_allow");
    },
    ({ function_subnet: range }) =>
      named("function_subnet", () => range && addresses.gatewayOf(range)),
    (env) => named("buildkit_url", () => buildkit.readBuildkitAddress(env)),
    (env) => images.readImageSettings(env, ""),
    (env) => {
      for (const target of images.readRunReach(env).egressAllow)
        rules.formatTarget(target, "build_egress_allow");
    },
    (env) => images.readRunLimits(env, 0),
  ];
}

/** A setting whose parser knows no names. */
function named(name: string, read: () => unknown): void {
  try {
    read();
  } catch (error) {
    throw error instanceof ConfigError ? error : new Error(`${name}: ${describe(error)}`);
  }
}

/** Whether a Docker answers there is seen when it is asked, which takes longer. */
function requireSocket(path: string): void {
  if (existsSync(path)) return;
  throw new Error(
    `DOCKER_HOST: no Docker listens at ${path}; start it ("systemctl start docker"), or name its socket with unix:///….`,
  );
}

function findProblems(read: Read, env: Env): readonly string[] {
  try {
    read(env);
    return [];
  } catch (error) {
    return error instanceof ConfigError ? error.problems : [describe(error)];
  }
}

/** Where the value stands, by the setting's name at the beginning. */
function tellPlace(env: Env, problem: string): string {
  const name = /^\w+/.exec(problem)?.[0];
  const source = listSettings(env).find((setting) => setting.name === name)?.source;
  return source === undefined ? "" : ` (from ${source})`;
}
