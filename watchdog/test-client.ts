import { Agent, request as send } from "node:http";

export type Answer = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
};

export type AskOptions = {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  readonly signal?: AbortSignal;
  /** Keep the connection after the answer, as a gateway does. */
  readonly keepAlive?: boolean;
};

/** One request over a Unix socket, on a connection of its own. */
export function ask(socketPath: string, path: string, options: AskOptions = {}): Promise<Answer> {
  const {
    method = options.body === undefined ? "GET" : "POST",
    headers = {},
    body,
    signal,
  } = options;
  const agent = new Agent({ keepAlive: options.keepAlive ?? false });
  return new Promise((resolve, reject) => {
    const outgoing = send(
      { socketPath, path, method, headers: { ...headers }, agent, ...(signal ? { signal } : {}) },
      async (response) => {
        try {
          let text = "";
          for await (const chunk of response.setEncoding("utf8")) text += chunk;
          resolve({ status: response.statusCode ?? 0, headers: response.headers, text });
        } catch (error) {
          reject(error);
        }
      },
    );
    outgoing.once("error", reject);
    outgoing.end(body);
  });
}
