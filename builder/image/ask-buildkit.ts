import { pack } from "tar-stream";
import type { RegistryLogin } from "#sdk/registry-logins.ts";
import { withDeadline } from "#sdk/with-deadline.ts";
import type { Buildkit } from "../buildkit/open-buildkit.ts";
import { DOCKERFILE } from "./repack-context.ts";

/** How BuildKit names the step of a base once it knows what its tag stands for. */
const FOUND = /\bFROM \S+@(sha256:[0-9a-f]{64})$/;
const LIMIT_MS = 15_000;

/**
 * The digest that a registry has under a name now, from a BuildKit that sees registries alone: it has no
 * question for that, but a build tells it with its first step, and is ended then, before anything is pulled.
 */
export async function askBuildkit(
  buildkit: Pick<Buildkit, "build">,
  reference: string,
  login: RegistryLogin | undefined,
): Promise<string> {
  const ending = new AbortController();
  let digest: string | undefined;
  const signal = withDeadline(LIMIT_MS, ending.signal);
  const building = buildkit.build({
    context: contextOf(`FROM ${reference}\n`),
    dockerfile: DOCKERFILE,
    buildArgs: {},
    labels: {},
    cacheScope: "",
    network: "none",
    secrets: new Map(),
    findLogin: () => login,
    // Nothing is ever kept under it.
    image: "base-image-lookup",
    push: false,
    onEvent(event) {
      if (event.kind !== "started" && event.kind !== "cached") return;
      digest ??= FOUND.exec(event.name)?.[1];
      if (digest !== undefined) ending.abort();
    },
    signal,
  });
  await building.catch((error: unknown) => {
    if (digest === undefined) throw error;
  });
  if (digest === undefined) throw new Error("BuildKit does not say what it stands for");
  return digest;
}

async function* contextOf(dockerfile: string): AsyncGenerator<Uint8Array> {
  const tar = pack();
  tar.entry({ name: DOCKERFILE }, dockerfile);
  tar.finalize();
  // tar-stream types its chunks as unknown; a pack gives bytes.
  yield* tar as AsyncIterable<Uint8Array>;
}
