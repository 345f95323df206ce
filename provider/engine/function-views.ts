import type { FunctionEndpoints, FunctionReport, InventoryItem } from "#provider/provider.ts";
import { listEarlier } from "./earlier-secrets.ts";
import type { FunctionRecord, Release } from "./function-record.ts";
import type { HeldRecord, HeldRecordTools } from "./held-record.ts";
import { identify, reportEndpoints, reportRecord } from "./report-record.ts";
import type { Version } from "./version.ts";

/** A function as others see it; `undefined` while none is deployed under its name. */
export type FunctionViews = {
  report(): FunctionReport | undefined;
  inventory(): InventoryItem | undefined;
  endpoints(): FunctionEndpoints | undefined;
  /** What it serves, and where. */
  serving(): { readonly release: Release; readonly at: FunctionEndpoints } | undefined;
};

type Seen = {
  readonly held: Pick<HeldRecord, "read">;
  readonly secrets: HeldRecordTools["secrets"];
  /** The version that serves. */
  readonly current: () => Version | undefined;
};

export function createFunctionViews(name: string, { held, secrets, current }: Seen): FunctionViews {
  return {
    report() {
      const record = held.read();
      return record && report(record);
    },
    inventory() {
      const record = held.read();
      if (record?.current === undefined) return undefined;
      const { switchedBack, crashLoop } = record.current;
      return {
        name,
        current: identify(record.current),
        ...(switchedBack && { switchedBack }),
        ...(crashLoop && current()?.problem() && { crashLoop }),
        status: report(record),
      };
    },
    endpoints() {
      const record = held.read();
      return record && endpointsOf(record);
    },
    serving() {
      const record = held.read();
      const version = current();
      if (record === undefined || version === undefined) return undefined;
      return { release: version.release, at: endpointsOf(record) };
    },
  };

  function endpointsOf(record: FunctionRecord): FunctionEndpoints {
    return reportEndpoints(record, current()?.endpoints() ?? []);
  }

  function report(record: FunctionRecord): FunctionReport {
    const version = current();
    const availableReplicas = version?.endpoints().length ?? 0;
    const earlierSecrets = version === undefined ? [] : listEarlier(version.release, secrets);
    return {
      ...reportRecord(record, availableReplicas, version?.problem()),
      ...(earlierSecrets.length === 0 ? {} : { earlierSecrets }),
    };
  }
}
