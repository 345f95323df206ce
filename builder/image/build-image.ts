import { join } from "node:path";
import { describe, HttpError } from "#sdk/errors.ts";
import type { BuildConfig, BuildLine } from "#sdk/messages.ts";
import { type FindLogin, registryOf } from "#sdk/registry-logins.ts";
import type { BuildJob } from "../build-service.ts";
import type { Buildkit } from "../buildkit/open-buildkit.ts";
import { ownerOf } from "../owner-of.ts";
import type { BuildKey } from "../secrets/build-key.ts";
import type { Mask } from "../secrets/mask-secrets.ts";
import { createSecretTaker } from "../secrets/take-secrets.ts";
import type { BuilderSettings } from "../settings.ts";
import { createRunExplainer } from "./explain-run.ts";
import { createLogFormatter } from "./format-log.ts";
import { checkDockerfile, checkImage } from "./image-rules.ts";
import type { ImageSettings } from "./image-settings.ts";
import type { ImageStore } from "./image-store.ts";
import { createPinGuard } from "./pin-guard.ts";
import { DOCKERFILE, repackContext } from "./repack-context.ts";
import { takeHead } from "./take-head.ts";

export type ImageTools = {
  readonly buildkit: Buildkit;
  /** Absent with a standalone buildkitd, which pushes by itself. */
  readonly store: ImageStore | undefined;
  readonly settings: BuilderSettings;
  readonly images: ImageSettings;
  readonly findLogin: FindLogin;
  /** Called for a base that is not what its pin says any more. */
  readonly askAnew: (reference: string) => Promise<unknown>;
  /** Opens what senders seal for this builder. */
  readonly key: BuildKey;
};

/** Vertices that name an image BuildKit looks up, whatever instruction asked for it. */
const LOOKED_UP = /^\[internal\] load metadata for (\S+)|^(?:\[[^\]]*\] )?FROM (\S+)/;

/** Turn one received context into an image. Rejects with 422 for what the owner can mend. */
export async function buildImage(job: BuildJob, tools: ImageTools): Promise<BuildLine> {
  const ending = new AbortController();
  const signal = AbortSignal.any([job.signal, ending.signal]);
  const run = createRunExplainer(tools.images.network, tools.images.runLimits);
  const secrets = createSecretTaker(tools.key, job.ownerId);
  try {
    const repacked = repackContext(job.body, tools.settings, signal, secrets.take);
    const { context, ...head } = await takeHead(repacked, join(job.work, "context.tar"));
    const { config } = head;
    const owner = ownerOf(config, job.ownerId);
    const guard = createGuard(owner, config, tools.images, ending);
    guard.checkDockerfile(head.dockerfile);
    const pins = createPinGuard(head.dockerfile, config);
    pins.tell(job.tell);
    const holding = tools.store && pins.check(tools.store.find, tools.askAnew);
    holding?.catch((error: unknown) => ending.abort(error));
    const { image, push } = decideTarget(config, tools.images);
    const log = createLogFormatter(job.tell, secrets.mask);
    const building = tools.buildkit.build({
      context,
      dockerfile: DOCKERFILE,
      buildArgs: config.buildArgs ?? {},
      labels: {},
      ...platformOf(config),
      cacheScope: tools.images.sharedCache ? "" : owner,
      network: tools.images.network,
      secrets: secrets.values,
      findLogin: tools.findLogin,
      image,
      push,
      onEvent(event) {
        log(event);
        run.see(event);
        if (event.kind === "started" || event.kind === "cached") guard.checkStep(event.name);
      },
      signal,
    });
    const built = await building.catch((error: unknown) => {
      throw pins.explain(error);
    });
    await holding;
    guard.throwIfBroken();
    if (built.digest === undefined) return { status: "success", image: config.image };
    const size = await tools.store?.touch(built.digest, image);
    const digest = built.local && push ? await pushFrom(tools, image, job) : built.digest;
    job.log.info("image-built", { image, digest, pushed: push });
    const sizeBytes = size === undefined ? {} : { sizeBytes: size };
    return { status: "success", image: config.image, digest, ...sizeBytes };
  } catch (error) {
    throw hideSecrets(run.explain(error), secrets.mask());
  } finally {
    ending.abort();
  }
}

/** An error is told and logged with all its causes. */
function hideSecrets(error: unknown, { hide }: Mask): unknown {
  if (!(error instanceof HttpError) || hide(describe(error)) === describe(error)) return error;
  return new HttpError(error.status, error.code, hide(error.message));
}

/** Whoever is no owner has the payload secret, and with it the platform. */
function createGuard(
  owner: string,
  config: BuildConfig,
  { rules }: ImageSettings,
  ending: AbortController,
) {
  let broken: unknown;
  return {
    checkDockerfile(text: string): void {
      if (owner !== "") checkDockerfile(text, config.buildArgs ?? {}, config.image, rules);
    },
    /** What the scan of the Dockerfile did not see, BuildKit names before it uses it. */
    checkStep(name: string): void {
      const [, metadata, from] = LOOKED_UP.exec(name) ?? [];
      const image = metadata ?? from;
      if (owner === "" || image === undefined) return;
      try {
        checkImage(image, config.image, rules);
      } catch (error) {
        broken ??= error;
        ending.abort(error);
      }
    },
    throwIfBroken(): void {
      if (broken !== undefined) throw broken;
    },
  };
}

/** Images are named as functions pull them; where they are pushed may have another name. */
function decideTarget(
  { image, skipPush }: BuildConfig,
  { platformPrefix, pushPrefix }: ImageSettings,
): { readonly image: string; readonly push: boolean } {
  if (pushPrefix === undefined || skipPush) return { image, push: false };
  const from = `${platformPrefix.replace(/\/+$/, "")}/`;
  const to = `${pushPrefix.replace(/\/+$/, "")}/`;
  return { image: image.startsWith(from) ? to + image.slice(from.length) : image, push: true };
}

function platformOf({ platforms = [] }: BuildConfig): { readonly platform?: string } {
  const [platform, ...others] = platforms;
  if (others.length > 0)
    throw new HttpError(
      422,
      "many-platforms",
      `One build is for one platform; ${platforms.join(", ")} are ${platforms.length}.`,
    );
  return platform === undefined || platform === "" ? {} : { platform };
}

function pushFrom(
  { store, findLogin }: ImageTools,
  image: string,
  { tell, signal }: BuildJob,
): Promise<string> {
  if (store === undefined) throw new Error("An image is local only where there is a store.");
  return store.push(image, findLogin(registryOf(image)), tell, signal);
}
