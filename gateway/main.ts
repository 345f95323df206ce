import { describe } from "#sdk/errors.ts";
import { createLog } from "#sdk/log.ts";
import { readSecret } from "#sdk/secrets.ts";
import { readConfig } from "./config.ts";
import { createGateway, type Gateway } from "./gateway.ts";

/** In a second; fewer are no load, and one that waits is not noticed among them. */
const MANY_CALLS = 10;

const log = createLog((line) => process.stderr.write(line)).with({ room: "gateway" });

try {
  await run();
} catch (error) {
  log.error("gateway-not-started", { error: describe(error) });
  process.exit(1);
}

async function run(): Promise<void> {
  const config = readConfig(process.env);
  const secret = (name: string): Promise<string> => readSecret(config.secretMountPath, name);
  const gateway = createGateway({
    config,
    user: await secret("basic-auth-user"),
    password: await secret("basic-auth-password"),
    payloadKeys: [{ id: config.payloadKeyId, secret: await secret("payload-secret") }],
    log,
  });

  let isStopping = false;
  const stop = async (reason: string): Promise<void> => {
    if (isStopping) return;
    isStopping = true;
    log.info("gateway-stopping", { reason, drain_ms: config.drainTimeoutMs });
    await gateway.close(config.drainTimeoutMs);
    process.exit(0);
  };
  process.on("SIGTERM", () => void stop("SIGTERM"));
  process.on("SIGINT", () => {
    // A terminal's Ctrl-C reaches parent and child alike; with a parent, the order of stopping is the parent's.
    if (process.send === undefined) void stop("SIGINT");
  });
  // Without its parent there is nothing left to route to.
  process.on("disconnect", () => void stop("parent gone"));

  const url = await gateway.listen();
  log.info("gateway-listening", { url });
  process.send?.({ listening: url });
  if (process.send !== undefined) tellOfCalls(gateway);
}

/** Each second in which functions were called often: the parent then keeps out of their way. */
function tellOfCalls({ table }: Gateway): void {
  let before = 0;
  setInterval(() => {
    const now = table.countStarted();
    // A parent that is gone is told of by "disconnect"; requests in flight are still finished then.
    if (now - before >= MANY_CALLS) process.send?.({ calls: now - before }, () => {});
    before = now;
  }, 1_000).unref();
}
