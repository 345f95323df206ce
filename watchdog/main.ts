import { readConfig } from "./config.ts";
import { createLogWriter } from "./log-writer.ts";
import { startWatchdog } from "./watchdog.ts";

try {
  const config = readConfig(process.env, process.argv.slice(2));
  const log = createLogWriter(config, (text) => process.stderr.write(text));
  const watchdog = await startWatchdog(config, process.env, log);
  watchdog.childEnded.then((how) => {
    log.write(`The function's process ended (${how}).`);
    process.exit(1);
  }, fail);
  process.on("exit", watchdog.kill);
  for (const signal of ["SIGTERM", "SIGINT"])
    process.once(signal, () => {
      watchdog.stop().then(() => process.exit(0), fail);
    });
} catch (error) {
  fail(error);
}

function fail(error: unknown): never {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
}
