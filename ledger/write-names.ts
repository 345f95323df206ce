import type { OnCommit } from "./database.ts";
import type { Ledger } from "./types/ledger.ts";

export type WriteNames = {
  readonly onCommit: OnCommit;
  /** The same ledger, which remembers the method that is called. */
  follow(ledger: Ledger): Ledger;
};

/** Tell of each commit under the name of the ledger's method that makes it: `endBuild:before`. */
export function createWriteNames(onWrite: (point: string) => void): WriteNames {
  // The ledger is synchronous, so there is never more than one.
  let method = "";
  return {
    onCommit: (moment) => onWrite(`${method}:${moment}`),
    follow: (ledger) =>
      new Proxy(ledger, {
        get(target, name) {
          const member: unknown = Reflect.get(target, name);
          if (typeof member !== "function") return member;
          return (...given: unknown[]) => {
            method = String(name);
            return Reflect.apply(member, target, given);
          };
        },
      }),
  };
}
