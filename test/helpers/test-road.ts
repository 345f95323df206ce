import type { TestFn } from "ava";
import { ROAD_CASES } from "./pipeline-cases.ts";
import { removeData } from "./platform.ts";
import { openRoad, type Road, type RoadOptions } from "./road.ts";

/** Run the cases on one platform process; a road that this machine does not have is skipped by its title. */
export function testRoad(test: TestFn, options: RoadOptions, missing?: string): void {
  const stops: (() => Promise<void>)[] = [];
  let road: Road | undefined;
  if (missing !== undefined) {
    test.skip(`${options.name}: the road is not tested: ${missing}`, () => {});
    return;
  }
  test.before(async () => {
    road = await openRoad(options, { teardown: (stop) => stops.push(stop) });
  });
  test.after.always(async () => {
    await road?.platform.stop();
    if (road !== undefined) await removeData(road.platform.dataFolder);
    for (const stop of stops.toReversed()) await stop();
  });
  for (const { title, run } of ROAD_CASES.filter(
    ({ needsQueue = false }) => needsQueue || !options.onlyQueue,
  ))
    test(`${options.name}: ${title}`, async (t) => {
      t.timeout(300_000);
      if (road === undefined) throw new Error("The platform of this road did not start.");
      await run(t, road);
    });
}
