import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { z } from "zod";

/** Real payloads by event, recorded by `@octokit/webhooks-examples`. */
export const webhookExamples = z
  .array(z.object({ name: z.string(), examples: z.array(z.unknown()) }))
  .parse(
    JSON.parse(
      readFileSync(fileURLToPath(import.meta.resolve("@octokit/webhooks-examples")), "utf8"),
    ),
  );
