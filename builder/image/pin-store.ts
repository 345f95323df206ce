import { z } from "zod";
import { BASE_PIN, type BasePin, type BasePins } from "#sdk/base-pin.ts";
import { writeDurably } from "#sdk/durable-file.ts";
import { describe } from "#sdk/errors.ts";
import type { Log } from "#sdk/log.ts";
import { readIfThere } from "#sdk/read-if-there.ts";
import { tryJson } from "#sdk/try-json.ts";
import { checkImage, type ImageRules } from "./image-rules.ts";
import { type BaseSource, resolveBase } from "./resolve-base.ts";

const KEPT = z.object({
  reference: z.string(),
  pin: BASE_PIN,
  /** Unix milliseconds when it was asked for; 0 when it is to be asked for anew. */
  askedAt: z.number(),
  /** Why its registry did not say. */
  problem: z.string().optional(),
});
const FILE = z.object({ v: z.literal(1), bases: z.array(KEPT) });

export type KeptBase = z.infer<typeof KEPT>;

export type BasePinTools = {
  /** File that outlives the process. */
  readonly path: string;
  readonly source: BaseSource;
  readonly rules: ImageRules;
  /** Age from which a pin is asked for anew, in milliseconds. */
  readonly refreshMs: number;
  readonly now?: () => number;
  readonly log: Log;
};

export type PinStore = {
  /** What each reference stands for: as it was found earlier, or asked for now and recorded before it is told. */
  pin(references: readonly string[]): Promise<BasePins>;
  /** By reference. */
  list(): Promise<readonly KeptBase[]>;
  /** Ask anew when the next push needs them, all or one; resolves with how many are known. */
  refresh(reference?: string): Promise<number>;
};

/** Owners name what they like; the ones asked for longest ago go. */
const MOST_KEPT = 1_000;
/** Of one push, so that they fit into a build's settings; others are taken by name. */
const MOST_AT_ONCE = 80;
/** What a registry did not say is asked again after so long. */
const RETRY_MS = 5 * 60_000;

export function createPinStore(tools: BasePinTools): PinStore {
  const { path, source, rules, refreshMs, now = Date.now, log } = tools;
  const asking = new Map<string, Promise<BasePin>>();
  let writing: Promise<unknown> = Promise.resolve();
  let read: Promise<Map<string, KeptBase>> | undefined;

  return {
    async pin(references) {
      const kept = await load();
      const pins = await Promise.all(
        references.map(async (reference, index): Promise<[string, BasePin]> => {
          const known = kept.get(reference);
          if (known !== undefined && isFresh(known)) return [reference, known.pin];
          const reason = index < MOST_AT_ONCE ? refusal(reference) : TOO_MANY;
          if (reason !== undefined) return [reference, { kind: "tag", reason }];
          return [reference, await askOnce(reference, known)];
        }),
      );
      return Object.fromEntries(pins);
    },
    async list() {
      return [...(await load()).values()].sort((a, b) => (a.reference < b.reference ? -1 : 1));
    },
    async refresh(reference) {
      const kept = await load();
      const chosen = [...kept.values()].filter(
        (one) => reference === undefined || one.reference === reference,
      );
      for (const one of chosen) kept.set(one.reference, { ...one, askedAt: 0 });
      await write(kept);
      return chosen.length;
    },
  };

  function load(): Promise<Map<string, KeptBase>> {
    read ??= readKept(path, log);
    return read;
  }

  function isFresh({ askedAt, problem }: KeptBase): boolean {
    const age = now() - askedAt;
    return age >= 0 && age < (problem === undefined ? refreshMs : Math.min(refreshMs, RETRY_MS));
  }

  /** The build refuses it, with more words; nobody is asked for it. */
  function refusal(reference: string): string | undefined {
    try {
      checkImage(reference, "", rules);
      return undefined;
    } catch (error) {
      return describe(error);
    }
  }

  /** Two pushes at once ask once. */
  function askOnce(reference: string, known: KeptBase | undefined): Promise<BasePin> {
    const begun = asking.get(reference) ?? ask(reference, known);
    asking.set(reference, begun);
    const done = () => asking.delete(reference);
    begun.then(done, done);
    return begun;
  }

  async function ask(reference: string, known: KeptBase | undefined): Promise<BasePin> {
    const { pin, problem } = await resolveBase(source, reference, known?.pin);
    const kept = await load();
    kept.delete(reference);
    kept.set(reference, { reference, pin, askedAt: now(), ...(problem && { problem }) });
    for (const oldest of [...kept.keys()].slice(0, -MOST_KEPT)) kept.delete(oldest);
    await write(kept);
    log.info("base-image-resolved", { image: reference, ...pin, ...(problem && { problem }) });
    return pin;
  }

  /** One after the other, so that the last word is the newest. */
  async function write(kept: ReadonlyMap<string, KeptBase>): Promise<void> {
    const turn = writing.then(() =>
      writeDurably(path, JSON.stringify({ v: 1, bases: [...kept.values()] })),
    );
    // The next in line does not hear of it.
    writing = turn.catch(() => {});
    await turn;
  }
}

const TOO_MANY = `the push names more than ${MOST_AT_ONCE} images`;

async function readKept(path: string, log: Log): Promise<Map<string, KeptBase>> {
  const text = await readIfThere(path);
  if (text === undefined) return new Map();
  const parsed = FILE.safeParse(tryJson(text));
  // It is asked for again; what builds need is in their plans.
  if (!parsed.success) log.warn("base-images-unreadable", { path, error: parsed.error.message });
  return new Map((parsed.data?.bases ?? []).map((one) => [one.reference, one]));
}
