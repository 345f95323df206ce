import { FUNCTION_NAMESPACE, splitServiceName, splitVersionName } from "#sdk/names.ts";
import type { EndpointTable } from "./endpoint-table.ts";

/**
 * Which versions of a function there are instead of the one that was asked for; `undefined` when the name is
 * none of a version's, or of a function that is not `owner`'s.
 */
export function describeMissing(
  table: EndpointTable,
  asked: string,
  owner: string | undefined,
): string | undefined {
  const { name, namespace } = splitServiceName(asked);
  const dashes = name.indexOf("--");
  if (dashes < 0 || namespace !== FUNCTION_NAMESPACE) return undefined;
  const [service, sha] = [name.slice(0, dashes), name.slice(dashes + 2)];
  const entry = table.find(service);
  if (entry === undefined) return undefined;
  if (owner !== undefined && entry.owner !== undefined && entry.owner !== owner) return undefined;
  const kept = table
    .all()
    .map((one) => splitVersionName(one.name))
    .flatMap((version) => (version?.service === service ? version.sha : []));
  const what = kept.length === 0 ? "no version is kept" : `kept are ${kept.join(", ")}`;
  return `Function "${service}" has no version "${sha}": ${what}.`;
}
