import { SYSTEM_NAMESPACE } from "#sdk/names.ts";
import type { RoomName } from "./config.ts";
import { decideSide, type HostNames } from "./decide-side.ts";

export type Route =
  | {
      readonly kind: "function";
      /** `name` or `name.namespace`, as asked for. */
      readonly service: string;
      /** What the replica sees: the bytes after the name, with the query. */
      readonly path: string;
      /** The owner whose host it was asked on. */
      readonly owner?: string;
    }
  | { readonly kind: "system-function"; readonly service: string; readonly path: string }
  | { readonly kind: "async"; readonly service: string; readonly isSystem: boolean }
  | { readonly kind: "webhook" }
  | { readonly kind: "ready" }
  | { readonly kind: "system-list" | "system-info" | "system-forward" }
  | { readonly kind: "room"; readonly room: RoomName; readonly body: BodyLimit }
  | { readonly kind: "refused"; readonly status: 400 | 404 | 405; readonly allow?: string };

export type BodyLimit = "body" | "upload";

/** The whole API besides functions, as spec/openfaas-api.md section 3. */
const MACHINE_ROUTES: readonly {
  readonly path: RegExp;
  /** `*` is any method. */
  readonly methods: string;
  readonly route: Route;
}[] = [
  { path: /^\/healthz$/, methods: "GET", route: toRoom("provider", "body") },
  { path: /^\/ready$/, methods: "GET", route: { kind: "ready" } },
  { path: /^\/github-event$/, methods: "POST", route: { kind: "webhook" } },
  { path: /^\/async-status\/./, methods: "GET", route: toRoom("queue", "body") },
  { path: /^\/git\/./, methods: "*", route: toRoom("forge", "upload") },
  { path: /^\/api\/v3\/./, methods: "*", route: toRoom("forge", "body") },
  { path: /^\/build$/, methods: "POST", route: toRoom("builder", "upload") },
  { path: /^\/publickey$/, methods: "GET", route: toRoom("builder", "body") },
];

const SYSTEM_ROUTES: typeof MACHINE_ROUTES = [
  { path: /^\/functions$/, methods: "GET", route: { kind: "system-list" } },
  { path: /^\/functions$/, methods: "POST, PUT, DELETE", route: { kind: "system-forward" } },
  { path: /^\/function\/[-\w.]+$/, methods: "GET", route: { kind: "system-forward" } },
  { path: /^\/scale-function\/[-\w.]+$/, methods: "POST", route: { kind: "system-forward" } },
  { path: /^\/info$/, methods: "GET", route: { kind: "system-info" } },
  { path: /^\/secrets$/, methods: "GET, POST, PUT, DELETE", route: { kind: "system-forward" } },
  { path: /^\/logs$/, methods: "GET", route: { kind: "system-forward" } },
  { path: /^\/namespaces$/, methods: "GET", route: { kind: "system-forward" } },
  {
    path: /^\/namespaces?\/[-\w.]*$/,
    methods: "GET, POST, PUT, DELETE",
    route: { kind: "system-forward" },
  },
  { path: /^\/telemetry$/, methods: "GET", route: { kind: "system-forward" } },
];

const NOT_FOUND: Route = { kind: "refused", status: 404 };
const BAD_REQUEST: Route = { kind: "refused", status: 400 };
const SYSTEM_SUFFIX = `.${SYSTEM_NAMESPACE}`;
const FUNCTION_SEGMENT = /^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?$/;
const SERVICE_NAME = /^[-a-zA-Z_0-9.]+$/;
/** What a URL parser behind us would fold into another path: dot segments, encoded or not, `\`, `//`. */
const FOLDS = /\/(?:\.|%2e){1,2}(?:\/|$)|\\|\/\//i;

/** Host first, then the raw path; nothing is ever decoded. `target` is in origin form. */
export function decideRoute(method: string, target: string, host: string, names: HostNames): Route {
  const side = decideSide(host, names);
  if (side === undefined) return NOT_FOUND;
  switch (side.kind) {
    case "machines":
      return decideMachines(method, target);
    case "control":
      return decideTable(CONTROL_ROUTES, method, pathOf(target));
    case "owner":
      return decideOwner(side.owner, target);
  }
}

const CONTROL_ROUTES = MACHINE_ROUTES.filter(({ route }) => route.kind === "webhook");

function decideMachines(method: string, target: string): Route {
  if (target.startsWith("/function/")) return decideFunction(target);
  const path = pathOf(target);
  if (FOLDS.test(path)) return NOT_FOUND;
  if (path.startsWith("/async-function/")) return decideAsync(method, path);
  if (path.startsWith("/system/")) {
    return decideTable(SYSTEM_ROUTES, method, path.slice("/system".length));
  }
  return decideTable(MACHINE_ROUTES, method, path);
}

function decideFunction(target: string): Route {
  const start = "/function/".length;
  const end = segmentEnd(target, start);
  const service = target.slice(start, end);
  if (service === "") return BAD_REQUEST;
  if (!SERVICE_NAME.test(service)) return NOT_FOUND;
  const path = restOf(target, end);
  if (!isSystem(service)) return { kind: "function", service, path };
  return FOLDS.test(pathOf(path)) ? NOT_FOUND : { kind: "system-function", service, path };
}

function decideAsync(method: string, path: string): Route {
  const start = "/async-function/".length;
  const service = path.slice(start, segmentEnd(path, start));
  if (!SERVICE_NAME.test(service)) return NOT_FOUND;
  if (method !== "POST") return { kind: "refused", status: 405, allow: "POST" };
  return { kind: "async", service, isSystem: isSystem(service) };
}

function decideOwner(owner: string, target: string): Route {
  const end = segmentEnd(target, 1);
  const name = target.slice(1, end);
  if (!FUNCTION_SEGMENT.test(name)) return NOT_FOUND;
  return { kind: "function", service: `${owner}-${name}`, path: restOf(target, end), owner };
}

function decideTable(table: typeof MACHINE_ROUTES, method: string, path: string): Route {
  const matches = table.filter((entry) => entry.path.test(path));
  if (matches.length === 0) return NOT_FOUND;
  const match = matches.find(
    ({ methods }) => methods === "*" || methods.split(", ").includes(method),
  );
  if (match !== undefined) return match.route;
  const allow = matches.map(({ methods }) => methods).join(", ");
  return { kind: "refused", status: 405, allow };
}

function toRoom(room: RoomName, body: BodyLimit): Route {
  return { kind: "room", room, body };
}

function isSystem(service: string): boolean {
  return service.endsWith(SYSTEM_SUFFIX);
}

function pathOf(target: string): string {
  const query = target.indexOf("?");
  return query < 0 ? target : target.slice(0, query);
}

/** Where the segment that starts at `start` ends: at `/`, `?` or the end. */
function segmentEnd(target: string, start: number): number {
  let at = start;
  for (; at < target.length; at++) {
    const char = target.charCodeAt(at);
    if (char === 0x2f || char === 0x3f) break;
  }
  return at;
}

/** The bytes from `end` on, always beginning with `/`. */
function restOf(target: string, end: number): string {
  if (end === target.length) return "/";
  return target.charCodeAt(end) === 0x3f ? `/${target.slice(end)}` : target.slice(end);
}
