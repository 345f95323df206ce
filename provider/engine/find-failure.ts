import type { StartFailure } from "./version.ts";

/** The first failure as soon as there is one, `undefined` when all went well. */
export function findFailure(
  launches: readonly Promise<StartFailure | undefined>[],
): Promise<StartFailure | undefined> {
  return new Promise((resolve, reject) => {
    for (const launch of launches)
      launch.then((failure) => failure !== undefined && resolve(failure), reject);
    Promise.all(launches).then(() => resolve(undefined), reject);
  });
}
