import { z } from "zod";
import { connectAdmin } from "../admin-client.ts";
import type { CommandContext } from "../context.ts";

const SETTINGS = z.array(
  z.object({
    name: z.string(),
    value: z.string(),
    source: z.string(),
    unit: z.string().optional(),
    fallback: z.string().optional(),
  }),
);

/** Every value in force in the running platform. Secrets are files and never appear. */
export async function config({ terminal, options }: CommandContext): Promise<void> {
  const admin = await connectAdmin(options.data);
  const settings = await admin.get("/config", SETTINGS);
  if (options.json) return terminal.json(settings);
  terminal.table(
    ["NAME", "VALUE", "SOURCE", "UNIT", "DEFAULT"],
    settings.map(({ name, value, source, unit, fallback }) => [
      name,
      value,
      source,
      unit ?? "",
      fallback ?? "",
    ]),
    "Nothing is configured.",
  );
}
