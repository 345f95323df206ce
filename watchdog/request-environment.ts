import type { IncomingMessage } from "node:http";

/**
 * The request as environment variables of a forked program: `Http_Content_Type`, `Http_Method`,
 * `Http_Path`, `Http_Query` … (spec/openfaas-api.md sections 19.3 and 19.4). `classic` adds
 * `Http_ContentLength` and `Http_Host`.
 */
export function requestEnvironment(
  request: IncomingMessage,
  { classic }: { readonly classic: boolean },
): Record<string, string> {
  const [path = "/", query] = splitOnce(request.url ?? "/", "?");
  const { host, "transfer-encoding": coding, ...headers } = request.headersDistinct;
  const length = headers["content-length"]?.[0] ?? (coding ? "-1" : "0");
  return {
    ...Object.fromEntries(
      Object.entries(headers).map(([name, values]) => [toVariable(name), values?.[0] ?? ""]),
    ),
    Http_Method: request.method ?? "GET",
    Http_Path: path,
    ...(query ? { Http_Query: query } : {}),
    ...(coding ? { Http_Transfer_Encoding: coding.join(", ") } : {}),
    ...(classic ? { Http_ContentLength: length, Http_Content_Length: length } : {}),
    ...(classic && host?.[0] ? { Http_Host: host[0] } : {}),
  };
}

/** `x-call-id` is `Http_X_Call_Id`. */
function toVariable(header: string): string {
  const words = header.split("-").map((word) => word.slice(0, 1).toUpperCase() + word.slice(1));
  return `Http_${words.join("_")}`;
}

function splitOnce(text: string, separator: string): [string, string?] {
  const at = text.indexOf(separator);
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + 1)];
}
