import type { Env } from "#sdk/env.ts";
import type { PayloadKey } from "#sdk/internal-signature.ts";
import { RELEASE } from "./release.ts";
import type { SocketUrls } from "./serve-room.ts";
import type { PlatformSettings } from "./settings.ts";

/** Each read of a socket takes 64 KiB for a moment, which the gateway's heap has at hand: glibc's own threshold. */
const ALLOCATOR = { MALLOC_MMAP_THRESHOLD_: "131072" };

/** What the gateway's process reads: the platform's own variables and where its rooms are. */
export function gatewayEnv(
  settings: PlatformSettings,
  secretsFolder: string,
  key: PayloadKey,
  sockets: SocketUrls,
  port: number,
): Env {
  return {
    ...settings.env,
    ...ALLOCATOR,
    release: RELEASE.release,
    git_sha: RELEASE.sha,
    port: String(port),
    root_domain: settings.rootDomain,
    secret_mount_path: secretsFolder,
    payload_key_id: key.id,
    functions_provider_url: sockets.provider,
    queue_url: sockets.queue,
    forge_url: sockets.forge,
    builder_url: sockets.builder,
    system_functions_url: sockets.functions,
  };
}
