import type { BasePin } from "#sdk/base-pin.ts";

/** In words, for logs and lists. */
export function describePin(pin: BasePin): string {
  switch (pin.kind) {
    case "digest":
      return pin.digest;
    case "local":
      return `${pin.imageId}, an image of this machine that no registry has`;
    case "tag":
      return `by its name, not pinned: ${pin.reason}`;
  }
}
