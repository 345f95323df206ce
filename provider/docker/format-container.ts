import type { ContainerCreateOptions } from "dockerode";
import type { Release } from "../engine/function-record.ts";
import type { Limits } from "./decide-limits.ts";
import type { Settings } from "./settings.ts";

/** Where functions listen; the watchdog's default and that of every OpenFaaS template. */
export const FUNCTION_PORT = 8_080;

/** Labels of our containers. A deployment's own are not copied: other tools on this Docker act on labels. */
export const containerLabels = {
  platform: "com.openfaas.cloud.platform",
  function: "com.openfaas.cloud.function",
  replica: "com.openfaas.cloud.replica",
  release: "com.openfaas.cloud.release",
  fence: "com.openfaas.cloud.fence",
} as const;

/** An image as dockerd has it. */
export type LocalImage = {
  /** `sha256:…` of its configuration. */
  readonly id: string;
  /** `USER` of its Dockerfile, empty for root. */
  readonly user: string;
  readonly env: readonly string[];
};

export type ContainerParts = {
  /** 8 hex digits. */
  readonly id: string;
  readonly name: string;
  /** 8 hex digits of this data folder. */
  readonly platform: string;
  readonly release: Release;
  readonly image: LocalImage;
  readonly limits: Limits;
  readonly network: string;
  readonly address: string;
  /** What `gateway` resolves to inside. */
  readonly gatewayAddress: string;
  /** Folder on this machine that is `/var/openfaas/secrets` inside. */
  readonly secretsFolder: string;
  readonly settings: Settings;
};

/** Everything that locks a function in, in one place. */
export function formatContainer(parts: ContainerParts): ContainerCreateOptions {
  const { id, platform, release, image, limits, network, address, settings } = parts;
  const { deployment } = release;
  return {
    name: parts.name,
    Image: image.id,
    User: decideUser(image.user, settings.userId),
    Env: formatEnvironment(parts),
    Labels: {
      [containerLabels.platform]: platform,
      [containerLabels.function]: deployment.service,
      [containerLabels.replica]: id,
      [containerLabels.release]: release.release,
      [containerLabels.fence]: String(release.fence),
    },
    StopSignal: "SIGTERM",
    // The engine probes. Docker would start a program in each container every few seconds, to tell nobody.
    Healthcheck: { Test: ["NONE"] },
    NetworkingConfig: { EndpointsConfig: { [network]: { IPAMConfig: { IPv4Address: address } } } },
    HostConfig: {
      NetworkMode: network,
      ExtraHosts: [`gateway:${parts.gatewayAddress}`],
      ...(settings.dns.length === 0 ? {} : { Dns: [...settings.dns] }),
      // The platform decides what runs: one that dockerd started again would hide a crash loop.
      RestartPolicy: { Name: "no" },
      ReadonlyRootfs: deployment.readOnlyRootFilesystem ?? true,
      Tmpfs: { "/tmp": `rw,nosuid,nodev,exec,mode=1777,size=${settings.tmpBytes}` },
      Mounts: [
        {
          Type: "bind",
          Source: parts.secretsFolder,
          Target: "/var/openfaas/secrets",
          ReadOnly: true,
          BindOptions: { Propagation: "rprivate" },
        },
      ],
      Memory: limits.memoryBytes,
      // The same number is no swap.
      MemorySwap: limits.memoryBytes,
      NanoCpus: limits.nanoCpus,
      PidsLimit: settings.processLimit,
      // Small, because it counts as memory too.
      ShmSize: 16 * 1024 * 1024,
      // The platform is worth more than a function when the machine runs out of memory.
      OomScoreAdj: 500,
      CapDrop: ["ALL"],
      SecurityOpt: ["no-new-privileges"],
      IpcMode: "private",
      Ulimits: [{ Name: "core", Soft: 0, Hard: 0 }],
      LogConfig: {
        Type: "json-file",
        Config: { "max-size": String(Math.ceil(settings.outputBytes / 2)), "max-file": "2" },
      },
      ...(settings.ociRuntime === "" ? {} : { Runtime: settings.ociRuntime }),
    },
  };
}

/** The image's user when it is a number other than root's; a name could stand for root. */
export function decideUser(user: string, fallback: number): string {
  const [, own, group] = /^([1-9]\d{0,8})(?::([1-9]\d{0,8}))?$/.exec(user) ?? [];
  const uid = own ?? String(fallback);
  return `${uid}:${group ?? uid}`;
}

function formatEnvironment({ release, image }: ContainerParts): string[] {
  const { envVars = {}, envProcess } = release.deployment;
  const given = new Set(image.env.map((line) => line.slice(0, line.indexOf("="))));
  const usual = {
    HOME: "/tmp",
    TMPDIR: "/tmp",
    LANG: "C.UTF-8",
    // Nothing is routed to it any more when it is told to end; a watchdog would serve on for `write_timeout`.
    healthcheck_interval: "0s",
  };
  const all = {
    ...Object.fromEntries(Object.entries(usual).filter(([name]) => !given.has(name))),
    ...envVars,
    ...(envProcess ? { fprocess: envProcess } : {}),
  };
  return Object.entries(all).map(([name, value]) => `${name}=${value}`);
}
