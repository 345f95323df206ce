import type { Row } from "./database.ts";
import { json, text } from "./row.ts";
import { plan } from "./shapes.ts";
import type { Plan } from "./types/plan.ts";

/** Plans of a few builds at once, and of those that are looked at. */
const KEPT = 32;
/** By their JSON, the one read last at the end. */
const read = new Map<string, Plan>();

/** A build is read at each of its steps while its plan stays as it is: parsed once, and shared by its readers. */
export function readPlan(row: Row): Plan {
  const written = text(row, "plan");
  const found = read.get(written) ?? json(row, "plan", plan);
  read.delete(written);
  read.set(written, found);
  const [oldest] = read.keys();
  if (read.size > KEPT && oldest !== undefined) read.delete(oldest);
  return found;
}
