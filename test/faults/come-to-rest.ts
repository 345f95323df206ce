import { setTimeout as sleep } from "node:timers/promises";
import { until } from "../helpers/until.ts";
import { listUnfinished, readAnswer, readLedger, readRecords, readShown } from "./observe.ts";
import type { Observed, SeenRecord, SeenStatus } from "./observed.ts";
import type { Stage } from "./stage.ts";
import type { WorkTree } from "./work-tree.ts";

const QUIET_LIMIT_MS = 90_000;

/** Wait until nothing is under way and the newest commit of each repository has its build. */
export async function comeToRest(stage: Stage): Promise<void> {
  if (!(await stage.victim.ready))
    throw new Error(`The platform did not start:\n${stage.victim.said()}`);
  let left: readonly string[] = [];
  const isQuiet = async () => {
    await sleep(50);
    left = [...listLeft(stage), ...(await listUnrecorded(stage))];
    return left.length === 0;
  };
  await until(isQuiet, QUIET_LIMIT_MS).catch((cause: unknown) => {
    throw new Error(
      `The platform does not come to rest: ${left.join(", ")}; see ${stage.folder}/platform.log`,
      { cause },
    );
  });
}

/** Everything the model judges; the platform has come to rest. */
export async function observe(
  stage: Stage,
  history: ReadonlyMap<string, readonly string[]>,
): Promise<Observed> {
  const { trees, dataFolder, url } = stage;
  const shown = new Map<string, readonly SeenStatus[]>();
  for (const { repository, sha } of trees.flatMap(({ pushes }) => pushes))
    shown.set(`${repository} ${sha}`, await readShownOf(stage, repository, sha));
  const answers = new Map<string, string>();
  for (const service of servicesOf(trees)) answers.set(service, await readAnswer(url, service));
  return {
    ...readLedger(dataFolder),
    records: await readRecords(dataFolder),
    shown,
    heads: new Map(trees.map(({ name, pushes }) => [name, headOf(pushes)])),
    answers,
    history,
  };
}

/** Deployed names of all functions. */
export function servicesOf(trees: readonly WorkTree[]): string[] {
  return trees.flatMap(({ pushes: [first] }) => Object.keys(first?.answers ?? {}));
}

function listLeft({ dataFolder, githubFolder, trees }: Stage): string[] {
  const { builds } = readLedger(dataFolder);
  const unseen = trees.filter(
    ({ name, pushes }) =>
      !builds.some(({ repository, sha }) => repository === name && sha === headOf(pushes)),
  );
  return [
    ...listUnfinished(dataFolder, githubFolder),
    ...unseen.map(({ name }) => `the newest commit of ${name}`),
  ];
}

/** The engine went back to another version by itself, and the ledger does not know yet. */
async function listUnrecorded({ dataFolder }: Stage): Promise<string[]> {
  const { releases } = readLedger(dataFolder);
  const isRecorded = ({ service, release, fence }: SeenRecord) =>
    releases.some((one) => one.service === service && one.id === release && one.fence === fence);
  return (await readRecords(dataFolder))
    .filter((record) => record.switchedBack && !isRecorded(record))
    .map(({ service }) => `the switch back of ${service}`);
}

/** The last push that Git took; where it broke off, the platform may have taken a later one. */
function headOf(pushes: WorkTree["pushes"]): string {
  return pushes.findLast(({ accepted }) => accepted)?.sha ?? "";
}

function readShownOf(stage: Stage, repository: string, sha: string): Promise<SeenStatus[]> {
  const [scm = "", fullName = ""] = repository.split(":");
  const owner = fullName.split("/")[0] ?? "";
  return readShown(stage.apiOf(scm), fullName, sha, stage.tokenOf(scm, owner));
}
