import { z } from "zod";
import { BASE_PINS } from "#sdk/base-pin.ts";
import { HttpError } from "#sdk/errors.ts";
import type { BuildConfig } from "#sdk/messages.ts";

/** Name of the entry that holds the build's settings, beside `context/`. */
export const CONFIG_ENTRY = "com.openfaas.docker.config";
export const CONFIG_LIMIT_BYTES = 64 * 1024;

/** faas-cli sends no `v`; the older of-builder said `ref` for `image` (spec/faas-cli.md section 8). */
const Wire = z
  .object({
    v: z.literal(1).optional(),
    image: z.string().min(1).max(512).optional(),
    ref: z.string().min(1).max(512).optional(),
    lang: z.string().min(1).max(128).optional(),
    buildArgs: z.record(z.string(), z.string()).nullish(),
    platforms: z.array(z.string()).nullish(),
    skipPush: z.boolean().nullish(),
    ownerId: z.string().min(1).max(128).optional(),
    bases: BASE_PINS.optional(),
  })
  .refine(({ image, ref }) => image !== undefined || ref !== undefined, "image is required");

/** Throws 422 with every wrong field. */
export function parseBuildConfig(bytes: Uint8Array): BuildConfig {
  const result = Wire.safeParse(parseJson(bytes));
  if (!result.success)
    throw new HttpError(
      422,
      "bad-config",
      `${CONFIG_ENTRY} is not usable: ${z.prettifyError(result.error)}`,
    );
  const { image, ref, lang, buildArgs, platforms, skipPush, ownerId, bases } = result.data;
  return {
    v: 1,
    image: image ?? ref ?? "",
    ...(lang === undefined ? {} : { lang }),
    ...(buildArgs ? { buildArgs } : {}),
    ...(platforms ? { platforms } : {}),
    ...(skipPush === true ? { skipPush } : {}),
    ...(ownerId === undefined ? {} : { ownerId }),
    ...(bases === undefined ? {} : { bases }),
  };
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (error) {
    throw new HttpError(422, "bad-config", `${CONFIG_ENTRY} is not JSON.`, { cause: error });
  }
}
