/** Small numbers that are given out once at a time, the lowest free one first. */
export type Slots = {
  take(): number;
  free(slot: number): void;
};

export function createSlots(): Slots {
  const taken = new Set<number>();

  return {
    take() {
      let slot = 0;
      while (taken.has(slot)) slot++;
      taken.add(slot);
      return slot;
    },
    free: (slot) => taken.delete(slot),
  };
}
