import type { FunctionDeployment } from "#sdk/messages.ts";
import { FUNCTION_NAMESPACE } from "#sdk/names.ts";
import type { FunctionReport } from "./provider.ts";

/**
 * A deployment as lists and status calls echo it: verbatim, plus the label `faas_function`, without empty
 * fields (spec/openfaas-api.md section 23.5).
 */
export function formatReport(
  deployment: FunctionDeployment,
  state: Pick<FunctionReport, "replicas" | "availableReplicas" | "createdAt" | "problem">,
): FunctionReport {
  const { service, labels, annotations, envVars, constraints, secrets, ...asked } = deployment;
  return {
    ...asked,
    name: service,
    namespace: FUNCTION_NAMESPACE,
    ...(isEmpty(envVars) ? {} : { envVars }),
    ...(constraints === undefined || constraints.length === 0 ? {} : { constraints }),
    ...(secrets === undefined || secrets.length === 0 ? {} : { secrets }),
    labels: { ...labels, faas_function: service },
    annotations: { ...annotations },
    invocationCount: 0,
    ...state,
  };
}

function isEmpty(
  map: Readonly<Record<string, string>> | undefined,
): map is undefined | Record<string, never> {
  return map === undefined || Object.keys(map).length === 0;
}
