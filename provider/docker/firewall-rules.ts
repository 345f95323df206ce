import type { Settings } from "./settings.ts";

/** What stands after `-A <chain>`. */
type Rule = readonly string[];

export type FirewallParts = {
  /** 8 hex digits; names the chains. */
  readonly platform: string;
  readonly bridge: string;
  /** This machine's address on the bridge. */
  readonly gatewayAddress: string;
  /** Port of the way to the gateway; absent when it is closed. */
  readonly gatewayPort?: number;
  /** Resolvers of this machine that are not its own loopback. */
  readonly resolvers: readonly string[];
  readonly settings: Pick<Settings, "egress" | "egressAllow" | "dns">;
};

export type Firewall = {
  readonly chains: readonly {
    readonly chain: string;
    /** To this machine, or through it. */
    readonly direction: "in" | "through";
    /** What comes to the chain. */
    readonly from: Rule;
    readonly rules: readonly Rule[];
  }[];
};

/** Never reached, whatever an operator allows: link-local, with every cloud's metadata address. */
const METADATA = "169.254.0.0/16";

/** Not the internet: RFC 6890's special ranges. */
const PRIVATE = [
  "0.0.0.0/8",
  "10.0.0.0/8",
  "100.64.0.0/10",
  "127.0.0.0/8",
  "172.16.0.0/12",
  "192.0.0.0/24",
  "192.168.0.0/16",
  "198.18.0.0/15",
  "224.0.0.0/3",
] as const;

const ESTABLISHED = ["-m", "conntrack", "--ctstate", "ESTABLISHED,RELATED"];

/** What functions may reach: one chain for what they send to this machine, one for what goes through it. */
export function formatFirewall(parts: FirewallParts): Firewall {
  const { platform, bridge, gatewayAddress, gatewayPort } = parts;
  const from = ["-i", bridge];
  const door = ["-d", gatewayAddress, "-p", "tcp", "--dport", String(gatewayPort)];
  return {
    chains: [
      {
        chain: `OFC-${platform}-IN`,
        direction: "in",
        from,
        rules: [
          [...ESTABLISHED, "-j", "ACCEPT"],
          ...(gatewayPort === undefined ? [] : [[...door, "-j", "ACCEPT"]]),
          ["-j", "DROP"],
        ],
      },
      { chain: `OFC-${platform}-FW`, direction: "through", from, rules: formatForward(parts) },
    ],
  };
}

export type BuildFirewallParts = {
  readonly platform: string;
  /** Docker's default one, where `RUN` is. */
  readonly bridge: string;
  /** Those in the `resolv.conf` of a `RUN`; some may be this machine. */
  readonly resolvers: readonly string[];
  readonly egressAllow: readonly string[];
};

/** What a `RUN` may reach: the internet. */
export function formatBuildFirewall(parts: BuildFirewallParts): Firewall {
  const { platform, bridge, resolvers, egressAllow } = parts;
  const from = ["-i", bridge];
  const settings = { egress: "internet", egressAllow, dns: [] } as const;
  return {
    chains: [
      {
        ...{ chain: `${buildChains(platform)}IN`, direction: "in", from },
        rules: [
          [...ESTABLISHED, "-j", "ACCEPT"],
          ...resolvers.flatMap((address) => formatDns(address, "ACCEPT")),
          ["-j", "DROP"],
        ],
      },
      {
        ...{ chain: `${buildChains(platform)}FW`, direction: "through", from },
        rules: formatForward({ bridge, resolvers, settings }),
      },
    ],
  };
}

/** No IPv6 at all: root in a `RUN` may write its packets itself, whatever addresses the bridge has. */
export function formatBuildFirewall6({ platform, bridge }: BuildFirewallParts): Firewall {
  const from = ["-i", bridge];
  const rules = [["-j", "DROP"]];
  return {
    chains: [
      { chain: `${buildChains(platform)}IN`, direction: "in", from, rules },
      { chain: `${buildChains(platform)}FW`, direction: "through", from, rules },
    ],
  };
}

/** What the names of these chains begin with. */
export function buildChains(platform: string): string {
  return `OFC-${platform}-RUN-`;
}

/** `RETURN` goes on to Docker's own rules, which let out what is let out. */
function formatForward({
  bridge,
  resolvers,
  settings,
}: Pick<FirewallParts, "bridge" | "resolvers" | "settings">): Rule[] {
  const { egress, egressAllow, dns } = settings;
  const isOpen = egress !== "none";
  const asked = isOpen ? (dns.length > 0 ? dns : resolvers) : [];
  return [
    [...ESTABLISHED, "-j", "RETURN"],
    ["-o", bridge, "-j", "DROP"],
    ...asked.flatMap((address) => formatDns(address, "RETURN")),
    ["-d", METADATA, "-j", "DROP"],
    ...egressAllow.map((target) => [...formatTarget(target), "-j", "RETURN"]),
    ...(egress === "internet" ? PRIVATE.map((range) => ["-d", range, "-j", "DROP"]) : []),
    ...(isOpen ? [] : [["-j", "DROP"]]),
  ];
}

function formatDns(address: string, verdict: "ACCEPT" | "RETURN"): Rule[] {
  return ["udp", "tcp"].map((protocol) => [
    ...["-d", address, "-p", protocol, "--dport", "53", "-j", verdict],
  ]);
}

/** `10.1.2.3`, `10.1.0.0/16` or `10.1.2.3:5432` (TCP); throws for anything else of this `setting`. */
export function formatTarget(target: string, setting = "egressAllow"): string[] {
  const [, range, port] =
    /^(\d{1,3}(?:\.\d{1,3}){3}(?:\/\d{1,2})?)(?::(\d{1,5}))?$/.exec(target) ?? [];
  if (range === undefined)
    throw new Error(
      `${setting} holds ${JSON.stringify(target)}; expected 10.1.2.3, 10.1.0.0/16 or 10.1.2.3:5432.`,
    );
  return ["-d", range, ...(port === undefined ? [] : ["-p", "tcp", "--dport", port])];
}
