import type { Log } from "#sdk/log.ts";
import type { FunctionLog } from "./function-log.ts";

/** Lines of a failed replica that are told to whoever deployed it. */
const TAIL_LINES = 20;

type VersionLogTools = {
  readonly functionLog: Pick<FunctionLog, "append" | "tail">;
  readonly log: Log;
};

/** What a version says in its function's log, and reads there; a log that is lost costs no replica. */
export function createVersionLog({ functionLog, log }: VersionLogTools) {
  return {
    say(instance: string, text: string): void {
      functionLog.append(instance, [text]).catch(noteLostLog);
    },
    /** The last lines that a replica printed. */
    async readTail(instance: string): Promise<string> {
      const lines = await functionLog.tail(instance, TAIL_LINES).catch((error: unknown) => {
        noteLostLog(error);
        return [];
      });
      return lines.join("\n");
    },
  };

  function noteLostLog(error: unknown): void {
    log.error("function-log-lost", { error: String(error) });
  }
}
