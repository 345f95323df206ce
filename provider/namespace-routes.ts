import { HttpError } from "#sdk/errors.ts";
import { FUNCTION_NAMESPACE } from "#sdk/names.ts";
import { invalid } from "./read-body.ts";
import type { Route } from "./route.ts";

/** There is one namespace, and it is there for good. */
export function createNamespaceRoutes(): Readonly<Record<"list" | "show" | "refuse", Route>> {
  return {
    list: () => Response.json([FUNCTION_NAMESPACE]),
    show({ name }) {
      if (name === FUNCTION_NAMESPACE)
        return Response.json({ name, annotations: {}, labels: { openfaas: "1" } });
      throw new HttpError(404, "not-found", `namespace ${name} not found`);
    },
    refuse() {
      throw new HttpError(
        501,
        "one-namespace",
        `This provider has one namespace, ${FUNCTION_NAMESPACE}; it cannot be changed.`,
      );
    },
  };
}

/** Throw 400 unless the query names the users' namespace, or none. */
export function checkNamespace(url: URL): void {
  const given = url.searchParams.getAll("namespace").at(-1);
  if (given && given !== FUNCTION_NAMESPACE)
    throw invalid(`namespace must be: ${FUNCTION_NAMESPACE}`);
}
