import { answerRequests } from "#sdk/answer.ts";
import type { PayloadKey } from "#sdk/internal-signature.ts";
import { silentLog } from "#sdk/log.ts";
import { serve } from "#sdk/serve.ts";
import { parseBuildkitAddress } from "../builder/buildkit/address.ts";
import { readImageSettings } from "../builder/image/image-settings.ts";
import { createImageBuilder } from "../builder/image-builder.ts";

export type BuilderSpec = {
  /** Docker's socket. */
  readonly docker: string;
  readonly dataFolder: string;
  /** Where it listens. */
  readonly socketPath: string;
  readonly key: PayloadKey;
  readonly maxContextBytes: number;
};

/** The image builder alone in a process, whose memory can be looked at; it ends with its parent. */
const spec = JSON.parse(process.argv[2] ?? "{}") as BuilderSpec;
const builder = createImageBuilder({
  dataFolder: spec.dataFolder,
  keys: [spec.key],
  address: parseBuildkitAddress(`docker-unix://${spec.docker}`),
  images: { ...readImageSettings({}, "ofc.local"), network: "none" },
  buildKey: Buffer.alloc(32, 1).toString("base64"),
  settings: { maxContextBytes: spec.maxContextBytes },
  log: silentLog,
});
await serve(answerRequests(builder.handler, silentLog), { socketPath: spec.socketPath });
process.on("disconnect", () => process.exit());
process.send?.("ready");
