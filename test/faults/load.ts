import { Pool } from "undici";

/** What a caller got, when it was not what was asked for. */
export type LoadFailure = { readonly at: number; readonly what: string };

export type Load = {
  readonly failures: readonly LoadFailure[];
  /** Answers by their text. */
  readonly answers: ReadonlyMap<string, number>;
  /** Milliseconds of each answer, from the moment in which it was asked for. */
  readonly latencies: readonly number[];
  /** Ask no more and resolve when every answer is there, with the requests a second that were reached. */
  stop(): Promise<number>;
};

export type LoadOptions = {
  /** `http://127.0.0.1:8080/` */
  readonly url: string;
  readonly path: string;
  /** Requests a second, whether earlier ones were answered or not, as far as this machine can. */
  readonly rate: number;
  readonly expect: RegExp;
};

const TICK_MS = 10;
const CONNECTIONS = 128;
/** Callers that wait at the same moment; more do not come, or a slow machine would drown in them. */
const MOST_WAITING = 1_000;

/** Call a function again and again; whatever is not 200 with a whole, expected body is a failure. */
export function startLoad({ url, path, rate, expect }: LoadOptions): Load {
  const pool = new Pool(new URL(url).origin, { connections: CONNECTIONS, headersTimeout: 30_000 });
  const failures: LoadFailure[] = [];
  const answers = new Map<string, number>();
  const latencies: number[] = [];
  const running = new Set<Promise<void>>();
  const started = performance.now();
  let sent = 0;
  const timer = setInterval(() => {
    // What a late tick missed is not made up for at once: callers do not come in hundreds.
    const due = Math.floor(((performance.now() - started) / 1_000) * rate);
    const now = Math.min(
      due - sent,
      Math.ceil((rate * TICK_MS) / 1_000) * 3,
      MOST_WAITING - running.size,
    );
    for (let left = now; left > 0; left -= 1) start();
    sent = due;
  }, TICK_MS);

  return {
    failures,
    answers,
    latencies,
    async stop() {
      clearInterval(timer);
      const seconds = (performance.now() - started) / 1_000;
      await Promise.all(running);
      await pool.close();
      return latencies.length / seconds;
    },
  };

  function start(): void {
    const call = ask()
      .catch((error: unknown) => fail(String(error)))
      .finally(() => running.delete(call));
    running.add(call);
  }

  async function ask(): Promise<void> {
    const askedAt = performance.now();
    const { statusCode, body } = await pool.request({ path, method: "GET" });
    const text = (await body.text()).trim();
    if (statusCode !== 200 || !expect.test(text)) fail(`${statusCode} ${text.slice(0, 200)}`);
    answers.set(text, (answers.get(text) ?? 0) + 1);
    latencies.push(performance.now() - askedAt);
  }

  function fail(what: string): void {
    failures.push({ at: Math.round(performance.now() - started), what });
  }
}
