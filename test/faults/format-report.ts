import type { DriverReport } from "./driver.ts";

/** The page `docs/faults.md` of one long run. */
export function formatReport(report: DriverReport, machine: string): string {
  const { seed, engine, queue, asked, seconds, lives, pushes, kills, missed, ends } = report;
  const { webhooks, breaches, leftovers } = report;
  const on = engine === "process" ? "" : ` --engine ${engine}`;
  const total = Object.values(kills).reduce((sum, one) => sum + one, 0);
  return `# What faults do to the platform

## Kills

\`node test/faults/run.ts --kills ${asked} --seed ${seed}${on} --queue ${queue} --write docs/faults.md\` wrote this page: ${total} kills with SIGKILL in
${lives} lives of one data folder and port, while ${pushes} commits were pushed to four repositories of three owners, over
the forge and as signed webhooks through a network that loses, doubles and reorders them. It took ${Math.round(seconds / 60)} minutes on
${machine}. 200 kills are part of every test run (\`kills.test.ts\`; \`FAULT_KILLS=20\` for a quick look), \`--kills 1000\` is the long
form, \`--queue embedded\` does the same without Redis. The seed repeats what is chosen, not what the machine makes of it.

After the last kill every accepted commit has to have one final, true status; what serves has to be the newest
eligible commit; callers must never have seen a version go back that did not fail; nothing may have been deployed
twice; ledger and engine have to agree; no platform and no gateway may have ended but by a kill; and no process, lock, temporary folder or half artefact may be left
(\`test/faults/model.ts\`, \`test/faults/leftovers.ts\`).

| Result | |
| --- | --- |
| breaches of the model | ${formatList(breaches)} |
| left behind | ${formatList(leftovers)} |
| fault points never reached | ${formatList(missed)} |
| builds by their end | ${formatCounts(ends)} |
| webhooks tampered with | ${formatCounts(webhooks)} |

Named points are just before and just after the commit of a ledger method (\`OFC_FAULT=endBuild:after:2 ./ofc up\` dies at the
second one); a kill "at any moment" is one of the platform process, the others are of processes below it: gateway, the queue's
server, git, an installer (npm) in the middle of a build, functions.

| Place | Kills |
| --- | ---: |
${Object.entries(kills)
  .map(([place, count]) => `| ${place} | ${count} |`)
  .join("\n")}

### On Docker

\`node test/faults/run.ts --engine docker --kills 100\` does the same on a dockerd of its own, with two repositories. Every other life
kills dockerd (\`kill -9\`, started again within 1.5 s) while a build or a deploy is under way; "function" is the first process of a container.
Images take their time, so 30 kills are part of every test run (\`kills-docker.test.ts\`, \`FAULT_KILLS_DOCKER\`), which reach some of the
named points and not all: the test's log says which. Two runs of 40 kills reached 20 of the then 44 points, killed dockerd 6 times, and found nothing.
Besides what holds everywhere, Docker may then have nothing but one running container of each release that serves, their network, and
images with a name; each artifact of the ledger has its image (\`docker-leftovers.ts\`). An npm that is killed inside a \`RUN\` is not part of it: that
fails the step, as \`docker build\` would.

## Other faults, each a test

| Fault | Test | What holds |
| --- | --- | --- |
| a second \`up\` on the same data | \`second-up.test.ts\` | it is refused with a sentence, the first one goes on |
| the queue is emptied, or its folder removed | \`queue.test.ts\` | the sweeper queues again what the ledger holds; no push is lost |
| webhooks are lost, doubled, reordered | \`webhooks.test.ts\` | heads are compared; one build each; the newest commit wins |
| GitHub answers 403, 429, 5xx or nothing for a moment | \`github-api.test.ts\` | the build goes on and its status is told afterwards |
| each of the writes above finds no room, again and again (\`OFC_FAULT=endBuild:full:2\`) | \`full-writes.test.ts\` | what was promised is kept, pushers are told the truth, the platform goes on by itself or, at its start, says so and stops |
| the disk really fills up, at any place of a push | \`disk.test.ts\` | what serves goes on serving; a push is taken or told why not; with space again the newest commit goes live |
| the disk turns read-only under a running platform (ext4 after an error), or is it at the start | \`disk.test.ts\` | pushes are refused with a sentence, functions serve on, the platform stops when asked; a restart on the mended disk heals |
| locks of a killed git in a mirror or in a repository of the forge | \`stale-lock.test.ts\` | the next fetch, or the next start, removes them |
| the clock jumps by a day | \`clock.test.ts\` | one worker at a time, order by generation (the ledger's clock is a tool; the process's is not changed) |
| the platform dies at each of a build's five attempts | \`give-up.test.ts\` | before switching the build fails, says in which step it was given up, and what served goes on; once switching it is carried to its end |
| a version dies three times in a row, the first time within ten seconds of its publication, whoever killed it | \`switch-back.test.ts\` (one folder up) | what served before serves again, or where nothing did it is started again; ledger, commit and build log say so, also when the platform is killed before it could record that |
| the registry is away, wants a login that is not there, or has no room (Docker) | \`registry.test.ts\` | what serves goes on; a registry that comes back within the attempts, or gets room, fails nobody; else the commit shows an error with the step, and the pusher sees the push that failed and whose fault it is |
| an image never becomes healthy (Docker) | \`docker-road.test.ts\` (one folder up) | the commit shows a failure with the step and the reason; what served goes on, nothing is left |

The driver kills no function more than twice in a life, so that its versions stay; only the write \`recordSwitchBack\` is provoked by a version
that crashes three times.

## Zero downtime

\`downtime.test.ts\` and \`downtime-docker.test.ts\` ask a function for 1,000 answers a second (\`DOWNTIME_RATE\`), whether earlier ones came or not, over 18 changes:
pushes, deploys by \`/system/functions\`, versions that never become healthy, and scaling up and down. Not one request fails, on
a machine that reaches the rate or not; \`node bench/downtime.ts\` measures rate and latencies over pushes, deploys, roll-backs and
changes of scale. Requests of two seconds and streamed answers that span switches finish, from the version that began them.

An upgraded connection (WebSocket) stays with the version it was opened on. When that is replaced, the connection goes on until
the old version's \`write_timeout\` is over and is closed then; a connection opened after the switch meets the new
version. Clients of long connections have to connect again when they are closed, as behind any load balancer.
`;
}

function formatList(lines: readonly string[]): string {
  return lines.length === 0 ? "none" : lines.join("; ");
}

function formatCounts(counts: Readonly<Record<string, number>>): string {
  return Object.entries(counts)
    .map(([what, count]) => `${count} ${what}`)
    .join(", ");
}
