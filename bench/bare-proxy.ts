import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { Pool } from "undici";

/**
 * What any proxy of Node and undici costs at least: every request passed on to one Unix socket, nothing
 * counted, checked or logged. `bare-proxy.ts <socket>` sends its port to its parent.
 */
const socketPath = process.argv[2] ?? "";
const pool = new Pool("http://localhost", { socketPath, connections: 1_024, pipelining: 1 });

const server = createServer((request, response) => {
  const { method = "GET", rawHeaders } = request;
  const body = method === "GET" || method === "HEAD" ? null : request;
  pool.dispatch(
    { path: "/", method, headers: withoutConnection(rawHeaders), body },
    {
      onConnect() {},
      onHeaders(status, headers) {
        response.writeHead(status, withoutConnection(headers.map((value) => value.toString())));
        return true;
      },
      onData: (chunk) => response.write(chunk),
      onComplete: () => response.end(),
      onError: (error) => response.destroy(error),
    },
  );
});
server.listen(0, "127.0.0.1", () => process.send?.((server.address() as AddressInfo).port));
process.once("disconnect", () => process.exit());

/** Names and values in turns; what concerns one connection is not passed on to another. */
function withoutConnection(raw: readonly string[]): string[] {
  return raw.filter(
    (_, at) => !/^(connection|keep-alive|transfer-encoding)$/i.test(raw[at - (at % 2)] ?? ""),
  );
}
