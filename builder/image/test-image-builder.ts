import { silentLog } from "#sdk/log.ts";
import type { BuildLine } from "#sdk/messages.ts";
import type { BuildkitAddress } from "../buildkit/address.ts";
import { createImageBuilder, type ImageBuilder, type ImageBuilderTools } from "../image-builder.ts";
import { VECTOR } from "../secrets/test-seal.ts";
import {
  configEntry,
  type Entries,
  KEY,
  packTar,
  startService,
  type TestService,
} from "../test-builder.ts";
import { type ImageSettings, readImageSettings } from "./image-settings.ts";

type Context = { teardown(run: () => Promise<void>): void };

type Changed = Partial<Pick<ImageBuilderTools, "settings" | "findLogin" | "log" | "runs">> & {
  readonly images?: Partial<ImageSettings>;
};

/** An image builder on a data folder of its own, whose `RUN` has no network. */
export function startImageBuilder(
  t: Context,
  address: BuildkitAddress,
  { images, log = silentLog, ...changed }: Changed = {},
): Promise<TestService<ImageBuilder>> {
  const settings = { network: "none", ...readImageSettings({}, "ofc.local"), ...images } as const;
  return startService(
    t,
    (dataFolder) =>
      createImageBuilder({
        dataFolder,
        keys: [KEY],
        address,
        buildKey: VECTOR.key,
        images: settings,
        log,
        ...changed,
      }),
    log,
  );
}

/** A build context of these files for `ofc.local/alice/shop/<name>:1`, and what comes after it. */
export function packImage(
  files: Entries,
  { name = "cart", ...config }: { readonly name?: string; readonly [field: string]: unknown } = {},
  last: Entries = {},
): Promise<Uint8Array<ArrayBuffer>> {
  const entries = Object.entries(files).map(([path, text]) => [`context/${path}`, text]);
  const image = `ofc.local/alice/shop/${name}:1`;
  return packTar({ ...configEntry({ image, ...config }), ...Object.fromEntries(entries), ...last });
}

/** What was printed and told, as one text. */
export function logOf(lines: readonly BuildLine[]): string {
  return lines.flatMap(({ log }) => log ?? []).join("\n");
}
