/** The namespace of users' functions on the wire. */
export const FUNCTION_NAMESPACE = "openfaas-fn";
/** The namespace of the platform's own functions, invoked only with an internal signature. */
export const SYSTEM_NAMESPACE = "openfaas-system";
/** The platform's own functions (design.md section 4). */
export const SYSTEM_FUNCTIONS = [
  "github-event",
  "github-push",
  "git-tar",
  "buildshiprun",
  "github-status",
  "import-secrets",
  "list-functions",
  "function-logs",
  "pipeline-log",
  "metrics",
  "audit-event",
  "garbage-collect",
] as const;
export type SystemFunction = (typeof SYSTEM_FUNCTIONS)[number];

const RESERVED_SLUGS: ReadonlySet<string> = new Set([
  "system",
  "auth",
  "api",
  "www",
  "gateway",
  "openfaas",
  "admin",
  ...SYSTEM_FUNCTIONS,
]);
const DNS_LABEL = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
/** So that `--<sha7>` still fits in the 63 characters of a DNS label. */
const SERVICE_NAME_LIMIT = 54;

/** `<owner slug>-<function>`; both parts are checked before they come here. */
export function formatServiceName(ownerSlug: string, functionName: string): string {
  return `${ownerSlug}-${functionName}`;
}

/** The slug a login asks for: lower case. It is a claim in the ledger, never a right. */
export function toSlug(login: string): string {
  return login.toLowerCase();
}

/** Why a slug cannot be an owner's, or `undefined` when it can. */
export function refuseSlug(slug: string): string | undefined {
  if (!DNS_LABEL.test(slug) || slug.length > 39)
    return `owner "${slug}": a name is at most 39 lower-case letters, digits and "-" (a DNS label)`;
  if (slug.includes("--")) return `owner "${slug}": "--" is kept for versions`;
  if (RESERVED_SLUGS.has(slug)) return `owner "${slug}" is reserved by the platform`;
  return undefined;
}

/** Why a function key of stack.yml cannot be deployed for this owner, or `undefined` when it can. */
export function refuseFunctionKey(key: string, ownerSlug: string): string | undefined {
  if (!DNS_LABEL.test(key))
    return `function "${key}": a name is lower-case letters, digits and "-" (a DNS label)`;
  if (key.includes("--")) return `function "${key}": "--" is kept for versions`;
  if (/^pr\d+-/.test(key)) return `function "${key}": "pr<number>-" is kept for previews`;
  const name = formatServiceName(ownerSlug, key);
  if (name.length > SERVICE_NAME_LIMIT)
    return `function "${key}": "${name}" is ${name.length} characters, at most ${SERVICE_NAME_LIMIT} fit`;
  return undefined;
}

/** Where one version of a function is, for good: `<service>--<first 7 of its commit>`. */
export function formatVersionName(service: string, sha: string): string {
  return `${service}--${sha.slice(0, 7)}`;
}

/** The function and the 7 hex digits in a version's name, `undefined` when it is not one. */
export function splitVersionName(
  name: string,
): { readonly service: string; readonly sha: string } | undefined {
  const [, service, sha] = /^([^.]+)--([0-9a-f]{7})$/.exec(name) ?? [];
  return service === undefined || sha === undefined ? undefined : { service, sha };
}

/** Split `name.namespace` at the last dot; without one the namespace is the users'. */
export function splitServiceName(text: string): {
  readonly name: string;
  readonly namespace: string;
} {
  const dot = text.lastIndexOf(".");
  return dot < 0
    ? { name: text, namespace: FUNCTION_NAMESPACE }
    : { name: text.slice(0, dot), namespace: text.slice(dot + 1) };
}
