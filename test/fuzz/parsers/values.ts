import { parseDuration } from "#sdk/duration.ts";
import { HttpError } from "#sdk/errors.ts";
import { refuseFunctionKey, refuseSlug, splitServiceName } from "#sdk/names.ts";
import { plainText } from "../../../forge/push/plain-text.ts";
import { refuseSchedule } from "../../../functions/git-tar/refuse-schedule.ts";
import { resolveInside } from "../../../functions/git-tar/repository-path.ts";
import { takeDefaults } from "../../../functions/git-tar/take-defaults.ts";
import { readScaleLimits } from "../../../provider/engine/decide-replicas.ts";
import { readProbeSettings } from "../../../provider/engine/probe.ts";
import { isPublicAddress, refuseCallbackUrl } from "../../../queue/callback-address.ts";
import { orRefusal, type Parser, promise, toText } from "../parser.ts";

/** Go's longest duration, which every other OpenFaaS program refuses to exceed. */
const LONGEST_MS = 2 ** 63 / 1e6;

/** One short value, read by everything that reads such values: durations, schedules, names, paths, addresses. */
export const values: Parser = {
  dictionary: [
    ..."0|1|9|.|5s|500ms|1h|m|h|ms|-|+|e9|NaN|Infinity|@every |@hourly|* * * * *|*/5|1-5|?|mon|jan|,|/|#".split(
      "|",
    ),
    // biome-ignore lint/suspicious/noTemplateCurlyInString: this is what a stack file may hold
    ..."../|./|//|a|pr1-|--|system|.openfaas-fn|.openfaas-system|${|:-|}|$${|${A:-b}|${A}".split(
      "|",
    ),
    ..."http://|https://|@|:|[|]|::1|::ffff:|127.0.0.1|169.254.169.254|0x7f.1|2130706433|localhost".split(
      "|",
    ),
    "\u0000",
    "\u001b[31m",
    "\u001b]0;",
    "\u0007",
    "\u202e",
    "\u2028",
    "\n",
    "\t",
    "é",
    "𝒶",
  ],
  read(input) {
    const text = toText(input);
    return [
      readDuration(text),
      readNames(text),
      readPath(text),
      readScale(text),
      readAddress(text),
      readText(text),
    ].join(" ");
  },
};

function readDuration(text: string): string {
  const ms = parseDuration(text);
  if (ms !== undefined)
    promise(ms >= 0 && ms <= LONGEST_MS, `"${text}" is a time that can be waited for, not ${ms}`);
  const { initialDelayMs, path } = readProbeSettings({
    service: "a",
    image: "a",
    annotations: {
      "com.openfaas.health.http.initialDelay": text,
      "com.openfaas.health.http.path": text,
    },
  });
  promise(initialDelayMs >= 0 && initialDelayMs <= 300_000, "a probe waits five minutes at most");
  promise(path.startsWith("/"), "a probe asks for a path");
  const isSchedule = refuseSchedule(text) === undefined;
  if (isSchedule) promise(!/[^\x20-\x7e\s]/.test(text), "a schedule is plain text");
  return `${ms === undefined ? "" : "duration"}${isSchedule ? "schedule" : ""}`;
}

function readNames(text: string): string {
  const isSlug = refuseSlug(text) === undefined;
  const isKey = refuseFunctionKey(text, "alice") === undefined;
  if (isSlug || isKey)
    promise(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/.test(text), "names are DNS labels");
  if (isKey) promise(splitServiceName(text).name === text, "no key names a namespace");
  return `${isSlug ? "slug" : ""}${isKey ? "key" : ""}`;
}

function readPath(text: string): string {
  const path = resolveInside(text);
  if (path === undefined) return "";
  promise(!path.startsWith("/") && !path.split("/").includes(".."), `"${path}" is inside`);
  promise(resolveInside(path || ".") === path, `"${path}" is resolved`);
  return "path";
}

function readScale(text: string): string {
  const read = () => {
    const labels = { "com.openfaas.scale.min": text, "com.openfaas.scale.max": text };
    const { min, max } = readScaleLimits({ service: "a", image: "a", labels }, 20);
    promise(min >= 0 && min <= max && max <= 20, "scale has limits");
    return "scale";
  };
  return orRefusal(read, (error) => (error instanceof HttpError ? "" : undefined));
}

function readAddress(text: string): string {
  const isPublic = isPublicAddress(text);
  if (refuseCallbackUrl(text, false) !== undefined) return isPublic ? "public" : "";
  const { protocol, username, password, hostname } = new URL(text);
  promise(/^https?:$/.test(protocol), "callbacks are HTTP");
  promise(username === "" && password === "", "no callback holds a password");
  promise(
    !/^(127|10|169\.254)(\.\d+)+$|^\[::|^\[f[cd]/.test(hostname),
    `${hostname} is on the internet`,
  );
  return "callback";
}

function readText(text: string): string {
  const plain = plainText(text);
  promise(!/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(plain), "what a terminal sees is plain");
  promise(plain.length <= 501, "and short");
  const { text: taken, open } = takeDefaults(text);
  promise(taken.length <= text.length, "taking defaults never lengthens");
  return open.length > 0 ? "open" : "";
}
