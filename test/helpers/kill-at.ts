export class Killed extends Error {
  override readonly name = "Killed";
}

export type Killer = {
  /** Whether the write was reached. */
  readonly struck: boolean;
  /** The same object until the moment comes; from then on every call of it throws. */
  wrap<T extends object>(target: T, writes: readonly (keyof T)[]): T;
};

/** A process that is killed at its nth write, right `before` it takes place or right `after`. */
export function killAt(nth: number, when: "before" | "after"): Killer {
  let written = 0;
  let dead = false;

  function die(): never {
    dead = true;
    throw new Killed(`killed ${when} write ${nth}`);
  }

  return {
    get struck() {
      return dead;
    },
    wrap: (target, writes) =>
      new Proxy(target, {
        get(object, name, receiver) {
          const member: unknown = Reflect.get(object, name, receiver);
          if (typeof member !== "function") return member;
          return (...given: unknown[]) => {
            if (dead) throw new Killed("nothing works any more");
            const isIt = writes.some((write) => write === name) && ++written === nth;
            if (isIt && when === "before") die();
            const result: unknown = Reflect.apply(member, object, given);
            if (!isIt) return result;
            return result instanceof Promise ? result.then(die, die) : die();
          };
        },
      }),
  };
}
