import { z } from "zod";
import { HttpError } from "#sdk/errors.ts";

const LINE = z.object({
  log: z.array(z.string()).optional(),
  status: z.enum(["in_progress", "success", "failed"]),
  error: z.string().optional(),
});

/**
 * Read buildshiprun's lines to the end. Returns why the build failed, `undefined` when it succeeded;
 * throws what a later attempt may mend (5xx, a stream that ends without a result).
 */
export async function readBuildResult(
  response: Response,
  log: (text: string) => void,
): Promise<string | undefined> {
  if (!response.ok || response.body === null) {
    const text = (await response.text()).slice(0, 500);
    throw new HttpError(
      503,
      "buildshiprun-failed",
      `buildshiprun answered ${response.status}: ${text}`,
    );
  }
  let rest = "";
  for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
    const parts = (rest + chunk).split("\n");
    rest = parts.pop() ?? "";
    for (const part of parts) {
      const line = LINE.parse(JSON.parse(part));
      for (const text of line.log ?? []) log(text);
      if (line.status === "success") return undefined;
      if (line.status === "failed") return line.error ?? "the build failed without a reason";
    }
  }
  throw new HttpError(503, "build-broke-off", "The builder's answer ended without a result.");
}
