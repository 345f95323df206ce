import { IncomingMessage } from "node:http";
import { Socket } from "node:net";
import { ConfigError } from "#sdk/env.ts";
import { readConfig } from "../../../watchdog/config.ts";
import { requestEnvironment } from "../../../watchdog/request-environment.ts";
import { orRefusal, type Parser, promise, toText } from "../parser.ts";

/** `NAME=value` lines, an empty line, a request line and header lines. */
export const watchdog: Parser = {
  dictionary: [
    ..."fprocess=|function_process=|mode=|fork|streaming|serializing|http|static|upstream_url=|http_upstream_url=|port=|read_timeout=|write_timeout=|exec_timeout=|healthcheck_interval=".split(
      "|",
    ),
    ..."max_inflight=|content_type=|max_output_bytes=|prefix_logs=|log_buffer_size=|cgi_headers=|combine_output=|static_path=|ready_path=|suppress_lock=".split(
      "|",
    ),
    ..."true|false|1|0|-1|5s|1e9h|99999999999999999999|http://127.0.0.1:3000|cat|node index.js|\n\n|\n|=| ".split(
      "|",
    ),
    ..."GET /|POST /a?b=c|Content-Length: 5|Transfer-Encoding: chunked|Host: a|X-Call-Id: 1|Proxy: http://evil|__proto__: a|constructor: b|X-A-B: c|X_A: d".split(
      "|",
    ),
  ],
  read(input) {
    const [variables = "", head = ""] = toText(input).split("\n\n", 2);
    return `${readVariables(variables)} ${readHead(head)}`;
  },
};

function readVariables(text: string): string {
  const env = Object.fromEntries(text.split("\n").map((line) => splitAt(line, "=")));
  const read = () => {
    const config = readConfig(env, []);
    for (const [name, value] of Object.entries(config))
      if (typeof value === "number")
        promise(Number.isFinite(value) && value >= -1, `${name} is a number, not ${value}`);
    promise(config.command.length > 0 || config.mode === "static", "there is something to run");
    return config.mode;
  };
  return orRefusal(read, (error) => (error instanceof ConfigError ? "" : undefined));
}

/** What a forked program sees of a request is only ever named `Http_…`. */
function readHead(text: string): string {
  const [line = "", ...headers] = text.split("\n");
  const request = new IncomingMessage(new Socket());
  [request.method, request.url] = line.split(" ");
  request.rawHeaders.push(...headers.flatMap((header) => splitAt(header, ":")));
  const seen = requestEnvironment(request, { classic: true });
  promise(
    Object.keys(seen).every((name) => name.startsWith("Http_")),
    "nothing but Http_ variables is set",
  );
  promise(
    Object.values(seen).every((value) => typeof value === "string"),
    "every variable is a text",
  );
  return String(Math.min(Object.keys(seen).length, 8));
}

function splitAt(line: string, separator: string): [string, string] {
  const at = line.indexOf(separator);
  return at < 0 ? [line, ""] : [line.slice(0, at), line.slice(at + 1).trim()];
}
