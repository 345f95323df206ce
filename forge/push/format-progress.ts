import { formatDuration } from "#sdk/duration.ts";
import type { BuildEvent, FunctionUrl } from "#sdk/messages.ts";
import { plainText } from "./plain-text.ts";

/** What was told so far about one build; it decides how the next event reads. */
export type ProgressState = {
  /** 40 or 64 hex digits. */
  readonly sha?: string;
  readonly fetchedMs?: number;
  /** What the build was last said to wait for; saying it again tells nothing. */
  readonly waitingFor?: string;
  readonly functions: Readonly<Record<string, FunctionProgress>>;
};

type FunctionProgress = {
  readonly step: "waiting" | "building" | "starting" | "done";
  readonly parts: readonly string[];
  /** Last lines of its build log. */
  readonly log: readonly string[];
  readonly unchanged: boolean;
  /** A version of this push serves. */
  readonly deployed: boolean;
};

type Told = { readonly state: ProgressState; readonly lines: readonly string[] };
type FunctionEvent = Extract<BuildEvent, { type: "function" }>;
type EndedEvent = Extract<BuildEvent, { type: "ended" }>;

/** Lines of a build log that a failure shows. */
const LOG_TAIL = 20;
const NOTHING: FunctionProgress = {
  step: "waiting",
  parts: [],
  log: [],
  unchanged: false,
  deployed: false,
};

export const nothingTold: ProgressState = { functions: {} };

/** The lines a pusher sees because of `event`, and what to remember for the next one. */
export function formatProgress(state: ProgressState, event: BuildEvent): Told {
  switch (event.type) {
    case "fetched":
      return { state: { ...state, fetchedMs: event.ms }, lines: [] };
    case "planned":
      return tellPlan(state, event);
    case "waiting":
      return {
        state: { ...state, waitingFor: event.reason },
        lines: event.reason === state.waitingFor ? [] : [plainText(event.reason)],
      };
    case "note":
      return { state, lines: [`note: ${plainText(event.text)}`] };
    case "log":
      return { state: remember(state, event.name, { log: addLog(state, event) }), lines: [] };
    case "function":
      return tellFunction(state, event);
    case "ended":
      return { state, lines: tellEnd(state, event) };
    default:
      return unknownEvent(state, event);
  }
}

/** A sign of life while nothing else is said: `cart: building, 20 s so far`. */
export function formatHeartbeat(state: ProgressState, elapsedMs: number): string {
  const so = `${Math.round(elapsedMs / 1000)} s so far`;
  const names = Object.entries(state.functions);
  if (names.length === 0) return `waiting for the build to begin, ${so}`;
  const open = names.filter(([, { step }]) => step !== "done");
  if (open.length === 0) return `finishing, ${so}`;
  return `${open.map(([name, { step }]) => `${name}: ${step}`).join(", ")}, ${so}`;
}

function tellPlan(state: ProgressState, event: Extract<BuildEvent, { type: "planned" }>): Told {
  const functions = Object.fromEntries(
    event.functions.map(({ name, action }): [string, FunctionProgress] => [
      plainText(name),
      {
        ...NOTHING,
        unchanged: action === "unchanged",
        step: action === "unchanged" ? "done" : "waiting",
      },
    ]),
  );
  const listed = event.functions.map(({ name, lang }) => plainText(`${name} (${lang})`)).join(", ");
  const count = event.functions.length === 1 ? "1 function" : `${event.functions.length} functions`;
  const repository = plainText(event.repository.split("/").at(-1) ?? event.repository);
  const head = `${repository}@${event.sha.slice(0, 7)}  ${count}${listed === "" ? "" : `: ${listed}`}`;
  return { state: { ...state, sha: event.sha, functions }, lines: [head] };
}

function tellFunction(state: ProgressState, event: FunctionEvent): Told {
  const name = plainText(event.name);
  const known = state.functions[name] ?? NOTHING;
  const took = event.ms === undefined ? "" : ` ${formatDuration(event.ms)}`;
  const done = (text: string, deployed = known.deployed): Told => ({
    state: remember(state, name, { step: "done", unchanged: false, deployed }),
    lines: [`${pad(state, name)}${text}`],
  });

  switch (event.step) {
    case "building":
      return { state: remember(state, name, { step: "building" }), lines: [] };
    case "built":
      return { state: addPart(state, name, `built${took}`), lines: [] };
    case "cached":
      return { state: addPart(state, name, "built before"), lines: [] };
    case "starting":
      return { state: remember(state, name, { step: "starting" }), lines: [] };
    case "healthy":
      return done([...fetched(state), ...known.parts, `healthy${took}`].join(" · "), true);
    case "unchanged":
      return done("unchanged");
    case "removed":
      return done("removed again: it was new in this push, which did not go live");
    case "failed":
      return tellFailure(state, name, known, event);
  }
}

/** Which function, in which step, why, and the end of its log. */
function tellFailure(
  state: ProgressState,
  name: string,
  known: FunctionProgress,
  event: FunctionEvent,
): Told {
  const step = { waiting: "", building: " while building", starting: " while starting", done: "" };
  const after = event.ms === undefined ? "" : ` after ${formatDuration(event.ms)}`;
  const reason = plainText(event.reason ?? "no reason was given");
  return {
    state: remember(state, name, { step: "done", unchanged: false, log: [] }),
    lines: [
      `${pad(state, name)}failed${step[known.step]}${after}: ${reason}`,
      ...known.log.map((line) => `  | ${line}`),
    ],
  };
}

function tellEnd(state: ProgressState, event: EndedEvent): string[] {
  const reason = plainText(event.reason);
  const left = Object.entries(state.functions)
    .filter(([, { unchanged }]) => unchanged)
    .map(([name]) => `${pad(state, name)}unchanged`);
  switch (event.state) {
    case "live":
      return [
        ...left,
        `live in ${formatSeconds(event.ms)}`,
        ...formatUrls(event.urls),
        ...formatVersions(state, event.urls),
      ];
    case "failed":
      return [
        `failed after ${formatSeconds(event.ms)}: ${reason}`,
        event.fault === undefined
          ? "What was live before stays live; push a fix."
          : "What was live before stays live. The platform is at fault, not the commit: push again later, or have its operator look (./ofc doctor) and try again (./ofc redeploy).",
      ];
    case "superseded":
      return [`${startWith("superseded", reason)}; what that push brings is built instead`];
    case "cancelled":
      return [`${startWith("cancelled", reason)}; what was live before stays live`];
    case "skipped":
      return [`not built: ${reason}`];
  }
}

function startWith(word: string, reason: string): string {
  return reason.startsWith(word) ? reason : `${word}: ${reason}`;
}

/** Both addresses of each function in columns. */
function formatUrls(urls: readonly FunctionUrl[]): string[] {
  const width = Math.max(0, ...urls.map(({ url }) => url.length));
  return urls.map(({ url, prettyUrl }) =>
    prettyUrl === undefined
      ? `  ${plainText(url)}`
      : `  ${plainText(url).padEnd(width + 4)} ${plainText(prettyUrl)}`,
  );
}

/** One line for the addresses that this push's versions have of their own, however many there are. */
function formatVersions({ sha, functions }: ProgressState, urls: readonly FunctionUrl[]): string[] {
  const [first, ...others] = urls.filter(({ name }) => functions[plainText(name)]?.deployed);
  if (first === undefined || sha === undefined) return [];
  const stays = `  this version stays at ${plainText(first.url)}--${sha.slice(0, 7)}`;
  const [second, third] = others;
  if (second === undefined) return [stays];
  const rest = third === undefined ? plainText(second.name) : `the other ${others.length}`;
  return [`${stays}, likewise ${rest}`];
}

/** Always seconds, so that two pushes compare at a glance. */
function formatSeconds(ms: number): string {
  return ms < 60_000 ? `${(ms / 1000).toFixed(2)} s` : formatDuration(ms);
}

function fetched(state: ProgressState): string[] {
  return state.fetchedMs === undefined ? [] : [`fetched ${formatDuration(state.fetchedMs)}`];
}

function addPart(state: ProgressState, name: string, part: string): ProgressState {
  const { parts } = state.functions[name] ?? NOTHING;
  return remember(state, name, { step: "starting", parts: [...parts, part] });
}

function addLog(state: ProgressState, event: Extract<BuildEvent, { type: "log" }>): string[] {
  const { log } = state.functions[plainText(event.name)] ?? NOTHING;
  const added = event.text
    .split("\n")
    .map(plainText)
    .filter((line) => line.trim() !== "");
  return [...log, ...added].slice(-LOG_TAIL);
}

function remember(
  state: ProgressState,
  rawName: string,
  change: Partial<FunctionProgress>,
): ProgressState {
  const name = plainText(rawName);
  const known = state.functions[name] ?? NOTHING;
  return { ...state, functions: { ...state.functions, [name]: { ...known, ...change } } };
}

/** The name in a column as wide as the longest. */
function pad(state: ProgressState, name: string): string {
  const width = Math.max(name.length, ...Object.keys(state.functions).map((one) => one.length));
  return `${name.padEnd(width)}  `;
}

/** A newer platform may say more than this version can tell. */
function unknownEvent(state: ProgressState, _event: never): Told {
  return { state, lines: [] };
}
