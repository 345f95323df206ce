import type { FunctionDeployment } from "#sdk/messages.ts";

/**
 * The whole environment of a replica: what every program expects, then the image's, then exactly the
 * deployment's. Nothing of the platform's own environment gets in.
 */
export function formatEnvironment(
  deployment: FunctionDeployment,
  image: Readonly<Record<string, string>>,
  base: { readonly path: string; readonly home: string; readonly tmp: string },
): Record<string, string> {
  return {
    PATH: base.path,
    HOME: base.home,
    TMPDIR: base.tmp,
    LANG: "C.UTF-8",
    ...image,
    ...deployment.envVars,
    ...(deployment.envProcess ? { fprocess: deployment.envProcess } : {}),
  };
}

/** The environment as `sandbox/start.sh` reads it. */
export function packEnvironment(env: Readonly<Record<string, string>>): string {
  return Object.entries(env)
    .map(([name, value]) => `${name} ${value.split("\n").length}\n${value}\n`)
    .join("");
}
