import type { TestRepository } from "../test/helpers/repository.ts";

/** Push and wait for the end; throws what the pusher saw when it failed. Milliseconds. */
export async function push(
  repository: TestRepository,
  url: string,
  ...refspecs: string[]
): Promise<number> {
  const { ok, output, ms } = await repository.push(url, ...refspecs);
  if (!ok) throw new Error(`The push failed:\n${output}`);
  return ms;
}
