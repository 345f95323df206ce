import test from "ava";
import { HttpError } from "#sdk/errors.ts";
import { createRunExplainer } from "./explain-run.ts";

const LIMITS = { memoryBytes: 2 * 1024 ** 3, processes: 4_096 };
const KILLED = 'Step "[2/2] RUN npm ci" failed: exit code: 137';

function explain(
  message: string,
  {
    network = "default",
    limits = LIMITS,
    output = "",
  }: {
    readonly network?: "none" | "default";
    readonly limits?: Partial<typeof LIMITS>;
    readonly output?: string;
  } = {},
): string {
  const run = createRunExplainer(network, limits);
  run.see({ kind: "output", step: "1", stream: "stderr", bytes: Buffer.from(output) });
  const explained = run.explain(new HttpError(422, "build-failed", message));
  return explained instanceof Error ? explained.message : "";
}

test("a RUN that was killed is told with its memory, whatever else it lacks", (t) => {
  const told = `${KILLED} (killed; a RUN has 2 GiB of memory here: build_memory_mib)`;

  t.is(explain(KILLED), told);
  t.is(explain(KILLED, { network: "none" }), told);
  t.is(explain(KILLED, { limits: {} }), KILLED);
});

for (const output of [
  "sh: 0: Cannot fork",
  "bash: fork: retry: Resource temporarily unavailable",
  "spawn sh EAGAIN",
]) {
  test(`a RUN that printed "${output}" is told with its processes`, (t) => {
    const message = 'Step "[2/2] RUN make" failed: exit code: 2';

    t.is(explain(message, { output }), `${message} (a RUN has 4096 processes here: build_pids)`);
    t.is(explain(message, { output, limits: {} }), message);
  });
}

test("another failure of a RUN is told with the network it has not, and of another step as it is", (t) => {
  const message = 'Step "[2/2] RUN npm ci" failed: exit code: 1';
  const copy = 'Step "[2/2] COPY a b" failed: not found';

  t.is(
    explain(message, { network: "none" }),
    `${message} (RUN has no network here: build_network)`,
  );
  t.is(explain(message), message);
  t.is(explain(copy, { network: "none" }), copy);
});
