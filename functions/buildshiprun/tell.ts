import type { Claim } from "#ledger/types/build.ts";
import type { BuildEvent } from "#sdk/messages.ts";
import type { Tools } from "./tools.ts";

type Told = Extract<BuildEvent, { type: "function" | "log" }>;
type Untimed<Event> = Event extends unknown ? Omit<Event, "v" | "at"> : never;

/** Append to what the pusher follows. */
export function tell({ ledger, now }: Tools, { build }: Claim, event: Untimed<Told>): void {
  ledger.addEvent(build.id, { v: 1, at: now(), ...event });
}
