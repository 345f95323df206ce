import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { z } from "zod";
import { useAllCores } from "#sdk/cores.ts";
import type { Env } from "#sdk/env.ts";
import { describe } from "#sdk/errors.ts";
import type { Log } from "#sdk/log.ts";
import { tryJson } from "#sdk/try-json.ts";

/** Longest wait for the gateway to listen, in milliseconds. */
const START_LIMIT_MS = 10_000;

/** The line with which a gateway gives up. */
const REASON = z.object({ event: z.literal("gateway-not-started"), error: z.string() });

const CALLS = z.object({ calls: z.number() });

export type GatewayChild = {
  readonly url: string;
  /** SIGTERM, and SIGKILL after `drainMs`. */
  close(drainMs: number): Promise<void>;
};

/**
 * The gateway in a process of its own, so that invocations share no event loop with the pipeline. It is
 * started again, on the same port, when it dies. `onCalls` is told each second in which functions are called often.
 */
export async function startGateway(
  project: string,
  env: Env,
  log: Log,
  writeLog: (line: string) => void,
  onCalls: () => void,
): Promise<GatewayChild> {
  let closing = false;
  let restarting: Promise<void> | undefined;
  let child = await startOnce(project, env, writeLog);
  const url = child.url;
  watch();

  return {
    url,
    async close(drainMs) {
      closing = true;
      await end(child.process, drainMs);
      await restarting;
    },
  };

  function watch(): void {
    const { pid } = child.process;
    log.info("gateway-started", { pid });
    // One that is started again while functions are called.
    useAllCores(pid).catch((error: unknown) =>
      log.warn("cores-not-given", { error: describe(error) }),
    );
    child.process.on("message", (message) => {
      if (CALLS.safeParse(message).success) onCalls();
    });
    child.process.once("exit", (code, signal) => {
      if (closing) return;
      log.error("gateway-died", { code, signal });
      restarting = restart();
    });
  }

  async function restart(): Promise<void> {
    const port = new URL(url).port;
    for (let waitMs = 50; !closing; waitMs = Math.min(waitMs * 2, 5_000)) {
      try {
        child = await startOnce(project, { ...env, port }, writeLog);
        if (closing) return await end(child.process, 0);
        log.info("gateway-restarted", {});
        watch();
        return;
      } catch (error) {
        log.error("gateway-not-restarted", { error: describe(error) });
        await new Promise((resolve) => setTimeout(resolve, waitMs));
      }
    }
  }
}

async function startOnce(
  project: string,
  env: Env,
  writeLog: (line: string) => void,
): Promise<{ readonly process: ChildProcess; readonly url: string }> {
  const child = fork(join(project, "gateway/main.ts"), [], {
    env: { ...env },
    // A signal to the platform's process group must not reach it: the platform stops it when its turn comes.
    detached: true,
    // One helper thread of V8's, as the launcher gives the platform.
    execArgv: ["--disable-warning=ExperimentalWarning", "--v8-pool-size=1"],
    stdio: ["ignore", "ignore", "pipe", "ipc"],
  });
  let said = "";
  const lines = child.stderr === null ? undefined : createInterface({ input: child.stderr });
  lines?.on("line", (line) => {
    said = `${said}${line}\n`.slice(-4_096);
    writeLog(`${line}\n`);
  });
  const timer = AbortSignal.timeout(START_LIMIT_MS);
  const started = await Promise.race([
    once(child, "message", { signal: timer }).then(
      ([message]) => message as { listening?: string },
    ),
    once(child, "exit").then(() => undefined),
  ]).catch(() => undefined);
  if (started?.listening === undefined) {
    child.kill("SIGKILL");
    throw new Error(explain(said, env));
  }
  return { process: child, url: `${started.listening.replace(/\/$/, "")}/` };
}

function explain(said: string, env: Env): string {
  if (said.includes("EADDRINUSE"))
    return `Port ${env.port} is in use; stop what listens there, or choose another with --port.`;
  if (said.includes("EACCES"))
    return `Port ${env.port} may not be used by this user; choose one above 1023 with --port.`;
  const reasons = said.split("\n").flatMap((line) => REASON.safeParse(tryJson(line)).data ?? []);
  return reasons.at(-1)?.error ?? (said.trim() || `It did not listen within ${START_LIMIT_MS} ms.`);
}

async function end(child: ChildProcess, drainMs: number): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, "exit");
  child.kill("SIGTERM");
  const timer = setTimeout(() => child.kill("SIGKILL"), drainMs);
  await gone;
  clearTimeout(timer);
}
