import { Agent, request as send } from "node:http";
import { connect, type Socket } from "node:net";

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
    outgoing.on("error", reject);
    outgoing.end(body);
  });
}

/** A connection whose bytes are the test's own; what breaks it is thrown where its text is asked for. */
export function dial(socketPath: string): { readonly socket: Socket; received(): string } {
  let received = "";
  let broken: Error | undefined;
  const socket = connect(socketPath).setEncoding("utf8");
  socket.on("data", (text: string) => {
    received += text;
  });
  socket.on("error", (error) => {
    broken = error;
  });
  return {
    socket,
    received() {
      if (broken !== undefined) throw broken;
      return received;
    },
  };
}
