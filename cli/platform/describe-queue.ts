import type { Queue } from "../../queue/queue.ts";

/** What holds accepted calls, how well, and why it was chosen. */
const WORDS: Readonly<Record<Queue["kind"], string>> = {
  redis: "the Redis that REDIS_URL names",
  "private-redis": "a redis-server of its own, each accepted call on disk",
  embedded:
    "an embedded Postgres, about 530 MB, safe from crashes but not from power loss; install redis-server for less memory and more safety",
};

export function describeQueue({ kind, why }: Pick<Queue, "kind" | "why">): string {
  return `${WORDS[kind]} (${why})`;
}
