import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { answerRequests } from "#sdk/answer.ts";
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
  parseLines,
  type SendOptions,
  signedRequest,
} from "../test-builder.ts";
import { type ImageSettings, readImageSettings } from "./image-settings.ts";

type Context = { teardown(run: () => Promise<void>): void };

export type TestImageBuilder = {
  readonly builder: ImageBuilder;
  readonly answer: (request: Request) => Promise<Response>;
  /** Send a signed build and read its lines. */
  build(tar: Uint8Array<ArrayBuffer>, options?: SendOptions): Promise<BuildLine[]>;
  /** Names in the work folder. */
  left(): Promise<string[]>;
};

type Changed = Partial<Pick<ImageBuilderTools, "settings" | "findLogin" | "log">> & {
  readonly images?: Partial<ImageSettings>;
};

/** An image builder on a work folder of its own. */
export async function startImageBuilder(
  t: Context,
  address: BuildkitAddress,
  { images, ...changed }: Changed = {},
): Promise<TestImageBuilder> {
  const dataFolder = await mkdtemp(join(tmpdir(), "ofc-images-"));
  const builder = createImageBuilder({
    dataFolder,
    keys: [KEY],
    address,
    buildKey: VECTOR.key,
    images: { network: "none", ...readImageSettings({}, "ofc.local"), ...images },
    log: silentLog,
    ...changed,
  });
  t.teardown(async () => {
    await builder.close();
    await rm(dataFolder, { recursive: true, force: true });
  });
  const answer = answerRequests(builder.handler, changed.log ?? silentLog);
  return {
    builder,
    answer,
    async build(tar, options) {
      const response = await answer(signedRequest(tar, options));
      return parseLines(await response.text());
    },
    left: () => readdir(join(dataFolder, "builder", "work")),
  };
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
