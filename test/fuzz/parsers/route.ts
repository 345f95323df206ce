import { IncomingMessage } from "node:http";
import { Socket } from "node:net";
import { HttpError } from "#sdk/errors.ts";
import { parseGitPath } from "../../../forge/git/parse-git-path.ts";
import { decideRoute } from "../../../gateway/decide-route.ts";
import { hostNames } from "../../../gateway/decide-side.ts";
import { readTarget } from "../../../gateway/read-target.ts";
import { parseTarget } from "../../../queue/parse-async-request.ts";
import { type Parser, promise } from "../parser.ts";

const names = hostNames("localhost", ["gateway"]);

/** A request line and header lines, as a client of the gateway sends them. */
export const route: Parser = {
  dictionary: [
    ..."GET |POST |PUT |DELETE |HEAD |OPTIONS |Host: |host:|\nHost: localhost\n|Host: alice.localhost:8080|Host: system.localhost".split(
      "|",
    ),
    ..."/function/|/async-function/|/async-status/|/system/|/system/functions|/git/a/b.git/info/refs|/api/v3/|/build|/github-event|/healthz".split(
      "|",
    ),
    ..."cart|.openfaas-system|.openfaas-fn|git-tar|..|%2e%2e|%2E|%2f|//|\\|?|#|;|@|:|http://|https://localhost/|[::1]|127.0.0.1|::ffff:127.0.0.1".split(
      "|",
    ),
    ..." HTTP/1.1|\n|a--1234567|--|xn--|\u0000|é|%c0%ae".split("|"),
  ],
  read(input) {
    const [line = "", ...headers] = input.toString("latin1").split("\n");
    const [method = "", ...rest] = line.split(" ");
    const request = new IncomingMessage(new Socket());
    request.url = rest.join(" ");
    request.rawHeaders.push(...headers.flatMap(toPair));
    const target = readTarget(request);
    if (target === undefined) return "400";
    promise(target.path.startsWith("/"), "a path is in origin form");

    const decided = decideRoute(method, target.path, target.host, names);
    const host = target.host.toLowerCase().replace(/:\d+$/, "").replace(/\.$/, "");
    const isMachines = names.machines.has(host);
    switch (decided.kind) {
      case "function":
        promise(
          !decided.service.endsWith(".openfaas-system"),
          "a system function is none of the users'",
        );
        promise(decided.path.startsWith("/"), "a function sees a path");
        if (decided.owner === undefined)
          promise(isMachines, "without an owner it is the machines' side");
        else {
          promise(host === `${decided.owner}.localhost`, "an owner's host is theirs");
          promise(
            decided.service.startsWith(`${decided.owner}-`),
            "on it only their functions are",
          );
        }
        break;
      case "system-function":
      case "room":
      case "system-list":
      case "system-info":
      case "system-forward":
        promise(isMachines, "the machines' side alone has rooms");
        promise(
          staysItself(decided.kind === "system-function" ? decided.path : target.path),
          `"${target.path}" means itself behind us`,
        );
        break;
      case "async":
        promise(isMachines, "the machines' side alone has the queue");
        askQueue(target.path);
        break;
      case "webhook":
        promise(isMachines || host === "system.localhost", "webhooks come on two sides");
        break;
      case "ready":
      case "refused":
        break;
    }
    if (decided.kind === "room" && decided.room === "forge") askForge(target.path);
    return `${decided.kind} ${"status" in decided ? decided.status : ""}`;
  },
};

function toPair(header: string): [string, string] {
  const colon = header.indexOf(":");
  return [header.slice(0, Math.max(colon, 0)), header.slice(colon + 1).trim()];
}

/** A URL parser behind the gateway sees the path that was decided on, but for what it percent-encodes. */
function staysItself(target: string): boolean {
  const path = target.split("?")[0] ?? "";
  // Bytes that HTTP does not take never come this far.
  if (/[^\x21-\x7e]/.test(path)) return true;
  const plain = (text: string) => text.replaceAll(/%[23567][2CEBD0]|["<>^`{|}]/gi, "_");
  return plain(new URL(`http://room${target}`).pathname) === plain(path);
}

function askQueue(target: string): void {
  if (/[^\x21-\x7e]/.test(target)) return;
  try {
    const { name } = parseTarget(new URL(`http://queue${target}`));
    promise(/^[a-z0-9][-a-z0-9]*$/.test(name), `"${name}" is a function's name`);
  } catch (error) {
    if (!(error instanceof HttpError) || error.status !== 404) throw error;
  }
}

function askForge(target: string): void {
  if (/[^\x21-\x7e]/.test(target)) return;
  parseGitPath(new URL(`http://forge${target}`).pathname);
}
