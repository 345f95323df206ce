/** What one function was asked, and how it answered, since the gateway started. */
export class Counters {
  started = 0;
  inFlight = 0;
  /** Sum over completed invocations. */
  seconds = 0;
  /** By status code; 499 is a client that left before the answer began. */
  readonly completed = new Map<number, number>();

  begin(): void {
    this.started++;
    this.inFlight++;
  }

  end(status: number, seconds: number): void {
    this.inFlight--;
    this.seconds += seconds;
    this.completed.set(status, (this.completed.get(status) ?? 0) + 1);
  }

  /** All completed invocations, `invocationCount` of `/system/functions`. */
  total(): number {
    let sum = 0;
    for (const count of this.completed.values()) sum += count;
    return sum;
  }
}
