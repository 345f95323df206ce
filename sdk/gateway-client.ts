import { z } from "zod";
import { HttpError } from "#sdk/errors.ts";
import { contentKeyOf, type PayloadKey, signCall } from "#sdk/internal-signature.ts";
import type { FunctionDeployment, FunctionStatus } from "#sdk/messages.ts";
import { SYSTEM_NAMESPACE, type SystemFunction } from "#sdk/names.ts";
import { type CallAnswer, type CallBody, createSendCall, type SendCall } from "#sdk/send-call.ts";
import { tryJson } from "#sdk/try-json.ts";

export type GatewayCredentials = {
  readonly user: string;
  readonly password: string;
  readonly key: PayloadKey;
};

type CallOptions = {
  /** Appended to the function's path, `?build=…` for instance. */
  readonly query?: string;
  readonly method?: string;
  /** By their names in lower case. */
  readonly headers?: Readonly<Record<string, string>>;
  /** What the signature covers when the body is a stream: a build key. */
  readonly contentKey?: string;
  readonly signal?: AbortSignal;
};

/** How the platform's functions reach one another and the functions of users: always through the gateway. */
export type GatewayClient = {
  /** Invoke a function of the platform and wait for its answer, whatever its status. */
  call(name: SystemFunction, body: CallBody, options?: CallOptions): Promise<CallAnswer>;
  /** Queue an invocation of a function of the platform; throws unless the queue took it. */
  queue(name: SystemFunction, body: string, options?: CallOptions): Promise<void>;
  /** All functions of users. */
  list(): Promise<FunctionStatus[]>;
  status(name: string): Promise<FunctionStatus | undefined>;
  /** Create or replace, and wait until it serves; throws HttpError with the engine's reason. */
  deploy(deployment: FunctionDeployment, signal?: AbortSignal): Promise<void>;
  /** False when there was nothing to delete. */
  remove(name: string): Promise<boolean>;
  scale(name: string, replicas: number): Promise<void>;
  /** Names of all functions' secrets. */
  listSecrets(): Promise<string[]>;
  /** False when there was nothing to delete. */
  removeSecret(name: string): Promise<boolean>;
};

/** `gatewayUrl` ends in a slash. */
export function createGatewayClient(
  gatewayUrl: string,
  credentials: GatewayCredentials,
  send: SendCall = createSendCall(),
): GatewayClient {
  const authorization = `Basic ${Buffer.from(`${credentials.user}:${credentials.password}`).toString("base64")}`;

  return {
    call: (name, body, options = {}) =>
      signed(`/function/${name}.${SYSTEM_NAMESPACE}`, body, options),

    async queue(name, body, options = {}) {
      const response = await signed(`/async-function/${name}.${SYSTEM_NAMESPACE}`, body, options);
      await response.text();
      if (response.status !== 202) {
        throw new HttpError(
          502,
          "queue-refused",
          `The gateway answered ${response.status} to a job for ${name}; is the queue up?`,
        );
      }
    },

    async list() {
      const response = await system("GET", "functions");
      return (await response.json()) as FunctionStatus[];
    },

    async status(name) {
      const response = await system(
        "GET",
        `function/${encodeURIComponent(name)}`,
        undefined,
        [404],
      );
      return response.status === 404 ? undefined : ((await response.json()) as FunctionStatus);
    },

    async deploy(deployment, signal) {
      const update = await system("PUT", "functions?wait=true", deployment, [404], signal);
      if (update.status === 404)
        await system("POST", "functions?wait=true", deployment, [], signal);
    },

    async remove(name) {
      const response = await system("DELETE", "functions", { functionName: name }, [404]);
      return response.status !== 404;
    },

    async scale(name, replicas) {
      await system("POST", `scale-function/${encodeURIComponent(name)}`, {
        serviceName: name,
        replicas,
      });
    },

    async listSecrets() {
      const response = await system("GET", "secrets");
      return secrets.parse(await response.json()).map(({ name }) => name);
    },

    async removeSecret(name) {
      const response = await system("DELETE", "secrets", { name }, [404]);
      return response.status !== 404;
    },
  };

  async function signed(path: string, body: CallBody, options: CallOptions): Promise<CallAnswer> {
    const method = options.method ?? "POST";
    const hasBody = method !== "GET" && method !== "HEAD";
    const content = hasBody && !(body instanceof ReadableStream) ? body : "";
    const named: Record<string, string> = {
      ...options.headers,
      "x-content-key": options.contentKey ?? contentKeyOf(content),
    };
    const delivered = `${path}${options.query ?? ""}`;
    const call = {
      method,
      path: delivered,
      headers: { get: (name: string) => named[name] ?? null },
    };
    const headers = { ...named, "x-cloud-signature": signCall(call, credentials.key) };
    return send(new URL(delivered, gatewayUrl), {
      method,
      headers,
      ...(hasBody && { body }),
      ...(options.signal && { signal: options.signal }),
    });
  }

  async function system(
    method: string,
    path: string,
    body?: unknown,
    allowed: readonly number[] = [],
    signal?: AbortSignal,
  ): Promise<CallAnswer> {
    const response = await send(new URL(`/system/${path}`, gatewayUrl), {
      method,
      headers: { authorization, "content-type": "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...(signal ? { signal } : {}),
    });
    if (response.ok || allowed.includes(response.status)) return response;
    throw await toError(response, `${method} /system/${path}`);
  }
}

const secrets = z.array(z.object({ name: z.string() }));
const refusal = z.object({ code: z.string(), message: z.string() });

/** The answer's own code and message, or its text where it is not one of ours. */
async function toError(response: CallAnswer, call: string): Promise<HttpError> {
  const text = (await response.text()).trim();
  const own = refusal.safeParse(tryJson(text)).data;
  const message = own?.message ?? (text || `The gateway answered ${response.status} to ${call}.`);
  return new HttpError(response.status, own?.code ?? "gateway-refused", message);
}
