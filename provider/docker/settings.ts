import { defaultEngineSettings, type EngineSettings } from "../engine/settings.ts";

/** What an operator may tune besides; every time is in milliseconds. */
export type Settings = EngineSettings & {
  /** Functions go on serving while the platform is down, and the next start takes them over. */
  readonly keepRunning: boolean;
  /** What becomes of a replica whose function sleeps: `pause` keeps it, with its memory, to wake at once. */
  readonly sleep: "pause" | "stop";
  /** Memory of a replica that names no limit, and the least and most it may name, in bytes. */
  readonly memoryBytes: number;
  readonly memoryLeastBytes: number;
  readonly memoryMostBytes: number;
  /** CPU time of a replica that names no limit, and the most it may name, in thousandths of a core. */
  readonly cpuMilli: number;
  readonly cpuMostMilli: number;
  /** Most processes and threads of a replica. */
  readonly processLimit: number;
  /** Writable space of a replica, its `/tmp`; counts as its memory. */
  readonly tmpBytes: number;
  /** Most output that dockerd keeps of a replica, in two files; the function's own log is `logBytes`. */
  readonly outputBytes: number;
  /** Of functions whose image names no number as its user. */
  readonly userId: number;
  /** What functions reach: `internet` is everything but private, local and metadata addresses. */
  readonly egress: "internet" | "any" | "none";
  /** `none` sets no rules: functions then reach nothing outside, but this machine's own open ports. */
  readonly firewall: "auto" | "none";
  /** How often the rules are put back, should something else have flushed them. */
  readonly firewallCheckMs: number;
  /** Reached besides, whatever `egress` says: `10.1.2.3`, `10.1.0.0/16` or `10.1.2.3:5432`. */
  readonly egressAllow: readonly string[];
  /** Resolvers of functions; those of this machine when empty. */
  readonly dns: readonly string[];
  /** Addresses of functions, as `10.201.0.0/16`; a free range of Docker's when empty. */
  readonly subnet: string;
  /** OCI runtime as `daemon.json` names it, such as `runsc`; dockerd's default when empty. */
  readonly ociRuntime: string;
  /** `missing` pulls images that are not there, `never` runs only those that are. */
  readonly pull: "missing" | "never";
  /** Longest wait for dockerd's answer to one call; a pull may take ten times as long. */
  readonly dockerTimeoutMs: number;
};

const MiB = 1024 * 1024;

export const defaultSettings: Settings = {
  ...defaultEngineSettings,
  keepRunning: true,
  sleep: "pause",
  memoryBytes: 128 * MiB,
  memoryLeastBytes: 16 * MiB,
  memoryMostBytes: 2048 * MiB,
  cpuMilli: 1_000,
  cpuMostMilli: 4_000,
  processLimit: 512,
  tmpBytes: 64 * MiB,
  outputBytes: 4 * MiB,
  userId: 65_534,
  egress: "internet",
  firewall: "auto",
  firewallCheckMs: 60_000,
  egressAllow: [],
  dns: [],
  subnet: "",
  ociRuntime: "",
  pull: "missing",
  dockerTimeoutMs: 60_000,
};
