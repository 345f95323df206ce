/** An IPv4 range in CIDR form, `10.201.0.0/16`. */
export type Addresses = {
  /**
   * The free address that was free the longest. When all are taken it waits for one, behind whoever waits
   * already, and rejects once `signal` aborts.
   */
  take(signal: AbortSignal): Promise<string>;
  /** One that is in use already. */
  hold(address: string): void;
  free(address: string): void;
};

/**
 * Hand out the addresses of a range in turn, the network's own, its gateway's (the first) and the broadcast
 * address aside. One that was given back comes last: a gateway that still holds the address of a replica
 * that died must not reach another owner's. `start` says where to begin, from 0 to below 1.
 */
export function createAddresses(range: string, start: number): Addresses {
  const { first, count } = parseRange(range);
  const held = new Set<number>();
  const waiting = new Set<() => void>();
  let next = Math.floor(start * count);

  return {
    async take(signal) {
      const address = takeFree() ?? (await takeFreed(signal));
      return formatAddress(address);
    },
    hold: (address) => void held.add(parseAddress(address)),
    free(address) {
      held.delete(parseAddress(address));
      const [longest] = waiting;
      longest?.();
    },
  };

  function takeFree(): number | undefined {
    for (let tried = 0; tried < count; tried++) {
      const candidate = first + next;
      next = (next + 1) % count;
      if (held.has(candidate)) continue;
      held.add(candidate);
      return candidate;
    }
    return undefined;
  }

  function takeFreed(signal: AbortSignal): Promise<number> {
    return new Promise((resolve, reject) => {
      const end = () => {
        waiting.delete(look);
        signal.removeEventListener("abort", giveUp);
      };
      const look = () => {
        const address = takeFree();
        if (address === undefined) return;
        end();
        resolve(address);
      };
      const giveUp = () => {
        end();
        reject(
          new Error(
            `all ${count} addresses of ${range} are taken; name a larger range in function_subnet`,
          ),
        );
      };
      waiting.add(look);
      signal.addEventListener("abort", giveUp);
      if (signal.aborted) giveUp();
    });
  }
}

/** The first address of a range, which a bridge has itself. */
export function gatewayOf(range: string): string {
  return formatAddress(parseRange(range).first - 1);
}

function parseRange(range: string): { readonly first: number; readonly count: number } {
  const [, address = "", bits = ""] = /^([\d.]+)\/(\d{1,2})$/.exec(range) ?? [];
  const sizeBits = 32 - Number(bits);
  const base = parseAddress(address);
  if (bits === "" || sizeBits < 4 || sizeBits > 24 || base % 2 ** sizeBits !== 0)
    throw new Error(`"${range}" is no range of addresses; expected one such as 10.201.0.0/16.`);
  return { first: base + 2, count: 2 ** sizeBits - 3 };
}

function parseAddress(address: string): number {
  const parts = address.split(".").map(Number);
  const fits = parts.every((part) => Number.isInteger(part) && part >= 0 && part <= 255);
  if (parts.length !== 4 || !fits) throw new Error(`"${address}" is no IPv4 address.`);
  return parts.reduce((sum, part) => sum * 256 + part, 0);
}

function formatAddress(value: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join(".");
}
