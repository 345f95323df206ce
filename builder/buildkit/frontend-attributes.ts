import { createHash } from "node:crypto";
import type { ImageBuild } from "./image-build.ts";

/** What the Dockerfile frontend is told of a build. */
export function frontendAttributes(
  build: ImageBuild,
  uploadId: string,
): Readonly<Record<string, string>> {
  const scope = createHash("sha256").update(build.cacheScope).digest("hex").slice(0, 32);
  return {
    ...prefixed("build-arg:", build.buildArgs),
    ...prefixed("label:", build.labels),
    context: `http://buildkit-session/${uploadId}`,
    filename: build.dockerfile,
    // A RUN step's key holds its hosts file, so that equal steps of two scopes have different keys.
    "add-hosts": `cache-${scope}=0.0.0.0`,
    "build-arg:BUILDKIT_CACHE_MOUNT_NS": scope,
    ...(build.target === undefined ? {} : { target: build.target }),
    ...(build.platform === undefined ? {} : { platform: build.platform }),
    ...(build.network === "none" ? { "force-network-mode": "none" } : {}),
  };
}

function prefixed(prefix: string, values: Readonly<Record<string, string>>) {
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => [`${prefix}${name}`, value]),
  );
}
