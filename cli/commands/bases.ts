import { z } from "zod";
import { connectAdmin } from "../admin-client.ts";
import type { CommandContext } from "../context.ts";
import { formatAge } from "../terminal.ts";

const BASES = z.array(
  z.object({
    reference: z.string(),
    pin: z.object({ kind: z.string() }),
    /** In words. */
    stands: z.string(),
    /** Unix milliseconds; 0 when the next push asks anew. */
    askedAt: z.number(),
    problem: z.string().optional(),
  }),
);

/** What base images' names stand for; `--refresh` has the next push ask anew. */
export async function bases({ terminal, options }: CommandContext): Promise<void> {
  const admin = await connectAdmin(options.data);
  if (options.refresh) {
    const answer = await admin.post("/bases/refresh", {}, z.object({ refreshed: z.number() }));
    if (options.json) return terminal.json(answer);
    return terminal.line(
      `${answer.refreshed} base images are asked for anew by the next push that needs them; what has moved is built again then.`,
    );
  }
  const found = await admin.get("/bases", BASES);
  if (options.json) return terminal.json(found);
  terminal.table(
    ["IMAGE", "STANDS FOR", "ASKED", "PROBLEM"],
    found.map(({ reference, stands, askedAt, problem }) => [
      reference,
      stands,
      askedAt === 0 ? "at the next push" : formatAge(askedAt),
      problem ?? "",
    ]),
    "No base image is known yet; the first push asks for those it needs.",
  );
}
