import { refuseSlug } from "#sdk/names.ts";

/** Who a request's host makes it for (design.md section 5, "One port, two sides"). */
export type Side =
  | { readonly kind: "machines" }
  | { readonly kind: "control" }
  | { readonly kind: "owner"; readonly owner: string };

export type HostNames = {
  /** `localhost` when owners are at `<owner>.localhost`. */
  readonly rootDomain: string;
  /** Names of the machines' side. */
  readonly machines: ReadonlySet<string>;
};

const MACHINES: Side = { kind: "machines" };
const CONTROL: Side = { kind: "control" };

/** The names that always are the machines' side, and the configured ones. */
export function hostNames(rootDomain: string, gatewayNames: readonly string[]): HostNames {
  return {
    rootDomain,
    machines: new Set(["127.0.0.1", "localhost", "[::1]", ...gatewayNames]),
  };
}

/** `undefined` for a host that is nobody's. The port never decides. */
export function decideSide(host: string, names: HostNames): Side | undefined {
  const name = nameOf(host);
  if (name === undefined) return undefined;
  if (names.machines.has(name)) return MACHINES;
  if (!name.endsWith(`.${names.rootDomain}`)) return undefined;
  const label = name.slice(0, -names.rootDomain.length - 1);
  if (label === "system") return CONTROL;
  return refuseSlug(label) === undefined ? { kind: "owner", owner: label } : undefined;
}

/** Lower case, without port and trailing dot; `undefined` when it is not a host. */
function nameOf(host: string): string | undefined {
  const match = /^(\[[0-9a-f:.]+\]|[\w-]+(?:\.[\w-]+)*)\.?(?::\d{1,5})?$/i.exec(host);
  return match?.[1]?.toLowerCase();
}
