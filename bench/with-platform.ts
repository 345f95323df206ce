import { removeData } from "../test/helpers/platform.ts";
import {
  makeRepository,
  removeRepository,
  type TestRepository,
} from "../test/helpers/repository.ts";
import { type Platform, type PlatformOptions, startPlatform } from "./platform.ts";

export type Place = {
  readonly platform: Platform;
  /** A repository that is removed at the end. */
  repository(): Promise<TestRepository>;
};

/** Several owners push in some benchmarks, all of them this program, and more often than people do. */
const ENV = {
  process_engine_runs_strangers_code: "true",
  owner_builds_per_hour: "1000000",
};

/** Start a platform, work with it, stop it and remove what it left. */
export async function withPlatform<T>(
  options: PlatformOptions,
  work: (place: Place) => Promise<T>,
): Promise<T> {
  const repositories: TestRepository[] = [];
  const platform = await startPlatform({ ...options, env: { ...ENV, ...options.env } });
  try {
    return await work({
      platform,
      async repository() {
        const repository = await makeRepository();
        repositories.push(repository);
        return repository;
      },
    });
  } finally {
    await platform.stop();
    await removeData(platform.dataFolder);
    for (const repository of repositories) await removeRepository(repository);
  }
}
