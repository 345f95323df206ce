import { answerRequests, type Handler } from "#sdk/answer.ts";
import { checkMessage } from "#sdk/check-message.ts";
import { type Env, readEnv } from "#sdk/env.ts";
import { createGatewayClient, type GatewayClient } from "#sdk/gateway-client.ts";
import {
  createNonceMemory,
  type NonceMemory,
  type PayloadKey,
  verifyCall,
} from "#sdk/internal-signature.ts";
import { createLog, type Log } from "#sdk/log.ts";
import { SYSTEM_NAMESPACE, type SystemFunction } from "#sdk/names.ts";
import { readSecret } from "#sdk/secrets.ts";
import { type Served, serve } from "#sdk/serve.ts";

/** What every function needs that runs as a process of its own. */
export type StandAlone = {
  readonly ledgerPath: string;
  readonly objectsPath: string;
  readonly gateway: GatewayClient;
  readonly log: Log;
  /** A secret file's text; throws when it is missing or empty. */
  secret(name: string): Promise<string>;
  /** Serve until SIGTERM; calls must carry the internal signature unless anybody may call. */
  serve(handler: Handler, options?: { readonly open?: boolean }): Promise<Served>;
};

/** Read the variables and secrets that all functions share; JSON log lines go to `write`. */
export async function standAlone(
  name: SystemFunction,
  env: Env,
  write: (line: string) => void,
): Promise<StandAlone> {
  const read = readEnv(env);
  const settings = read.done({
    port: read.integer("port", 8080, { max: 65_535 }),
    gatewayUrl: read.url("gateway_url", "http://127.0.0.1:8080/"),
    secrets: read.text("secret_mount_path", "/var/openfaas/secrets"),
    keyId: read.text("payload_key_id", "1"),
    ledgerPath: read.text("ledger_path"),
    objectsPath: read.text("objects_path", "objects/v1"),
  });
  const secret = (file: string) => readSecret(settings.secrets, file);
  const [user, password, payloadSecret] = await Promise.all(
    ["basic-auth-user", "basic-auth-password", "payload-secret"].map(secret),
  );
  const key: PayloadKey = { id: settings.keyId, secret: payloadSecret ?? "" };
  const log = createLog(write).with({ function: name });

  return {
    ...settings,
    secret,
    log,
    gateway: createGatewayClient(settings.gatewayUrl, {
      user: user ?? "",
      password: password ?? "",
      key,
    }),
    async serve(handler, { open = false } = {}) {
      const guarded = open ? handler : verifying(name, handler, key);
      const listen = { port: settings.port, hostname: "0.0.0.0" };
      const served = await serve(answerRequests(guarded, log), listen);
      log.info("function-listening", { url: served.url });
      return served;
    },
  };
}

/**
 * Let only calls through that the platform signed, with the very body it signed; one that was signed over
 * a build key instead of a digest streams.
 */
function verifying(name: SystemFunction, handler: Handler, key: PayloadKey): Handler {
  const nonces: NonceMemory = createNonceMemory();
  return async (request, log) => {
    const { method, headers } = request;
    verifyCall({ method, path: signedPath(name, request.url), headers }, [key], nonces);
    await checkMessage(request);
    return handler(request, log);
  };
}

/** The path the caller signed: the gateway's, before it cut `/function/<name>` off or down to `/<name>`. */
function signedPath(name: SystemFunction, url: string): string {
  const { pathname, search } = new URL(url);
  const rest =
    pathname === `/${name}` || pathname === "/" ? "" : pathname.replace(`/${name}/`, "/");
  return `/function/${name}.${SYSTEM_NAMESPACE}${rest}${search}`;
}

/** End with the last request when asked to, at the latest after `drainMs`. */
export function stopOnSignal(served: Served, close: () => void, drainMs = 8_000): void {
  process.once("SIGTERM", async () => {
    await served.close(drainMs);
    close();
    process.exit(0);
  });
}
