import type { ExecutionContext } from "ava";
import type { RunningPlatform } from "../helpers/platform.ts";
import { type Files, makeRepository, removeRepository, stackOf } from "../helpers/repository.ts";

/** Owners are strangers to each other in these tests. */
export const STRANGERS = { process_engine_runs_strangers_code: "true" };

/** A repository of one bash function `cart` that answers `text`. */
export function cartOf(text: string): Files {
  return {
    "stack.yml": stackOf({ cart: { lang: "bash" } }),
    "cart/handler.sh": `#!/bin/bash\necho ${text}\n`,
  };
}

/** A repository in a folder of its own, and where its owner pushes it. */
export async function openRepository(
  t: ExecutionContext,
  platform: RunningPlatform,
  owner: string,
  files: Files,
  name = "shop",
) {
  const repository = await makeRepository();
  t.teardown(() => removeRepository(repository));
  await repository.commit(files);
  const { url, token } = JSON.parse(await platform.ofc("token", owner, "--json")) as {
    url: string;
    token: string;
  };
  return { repository, url: `${url}/${name}.git`, token };
}

/** What a function answers. */
export async function call(platform: RunningPlatform, service: string): Promise<string> {
  const response = await fetch(new URL(`function/${service}`, platform.url));
  return (await response.text()).trim();
}
