import { defaultEngineSettings, type EngineSettings } from "../engine/settings.ts";

/** What an operator may tune besides; every time is in milliseconds. */
export type Settings = EngineSettings & {
  /** Most processes and threads of a replica that has a user of its own. */
  readonly processLimit: number;
  /** Writable space of a replica's own `/tmp`, as `mount` takes it. */
  readonly tmpLimit: string;
  /** `PATH` of functions, after the platform's own Node. */
  readonly path: string;
  /** User ids that replicas get, from this one up, when the platform runs as root. */
  readonly firstUserId: number;
  /** `auto` takes the strongest isolation that works here. */
  readonly isolation: "auto" | "none";
  /** Folder that holds `watchdog/`, `sdk/` and `node_modules/`. */
  readonly projectFolder: string;
};

export const defaultSettings: Settings = {
  ...defaultEngineSettings,
  processLimit: 1_024,
  tmpLimit: "256m",
  path: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
  firstUserId: 61_184,
  isolation: "auto",
  projectFolder: new URL("../..", import.meta.url).pathname.replace(/\/$/, ""),
};
