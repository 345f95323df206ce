import test from "ava";
import { type FirewallParts, formatBuildFirewall, formatFirewall } from "./firewall-rules.ts";

function rulesOf(
  changed: Partial<FirewallParts["settings"]> = {},
  direction = "through",
): string[] {
  const { chains } = formatFirewall({
    platform: "0a1b2c3d",
    bridge: "ofc-0a1b2c3d",
    gatewayAddress: "10.1.0.1",
    gatewayPort: 8080,
    resolvers: ["10.255.0.53"],
    settings: { egress: "internet", egressAllow: [], dns: [], ...changed },
  });
  const chain = chains.find((one) => one.direction === direction);
  return (chain?.rules ?? []).map((rule) => rule.join(" "));
}

test("to this machine functions reach the gateway's port and nothing else", (t) => {
  const [established, door, rest, ...more] = rulesOf({}, "in");

  t.regex(established ?? "", /ESTABLISHED,RELATED -j ACCEPT$/);
  t.is(door, "-d 10.1.0.1 -p tcp --dport 8080 -j ACCEPT");
  t.is(rest, "-j DROP");
  t.deepEqual(more, []);
});

for (const egress of ["internet", "any", "none"] as const) {
  test(`with egress ${egress} other functions and metadata addresses are closed before anything is open`, (t) => {
    const rules = rulesOf({ egress, egressAllow: ["10.0.0.5:5432", "169.254.0.0/16"] });

    const at = (text: string) => rules.indexOf(text);
    t.is(at("-o ofc-0a1b2c3d -j DROP"), 1);
    t.true(at("-d 169.254.0.0/16 -j DROP") < at("-d 169.254.0.0/16 -j RETURN"));
    t.true(at("-d 169.254.0.0/16 -j DROP") < at("-d 10.0.0.5 -p tcp --dport 5432 -j RETURN"));
    t.is(rules.includes("-d 10.0.0.0/8 -j DROP"), egress === "internet");
    t.is(rules.at(-1) === "-j DROP", egress === "none");
    t.is(rules.includes("-d 10.255.0.53 -p udp --dport 53 -j RETURN"), egress !== "none");
  });
}

test("resolvers that an operator names take the place of this machine's", (t) => {
  const rules = rulesOf({ dns: ["9.9.9.9"] });

  t.true(rules.includes("-d 9.9.9.9 -p udp --dport 53 -j RETURN"));
  t.false(rules.join("\n").includes("10.255.0.53"));
});

test("of this machine a RUN reaches a resolver at its port, where it is one, and nothing else", (t) => {
  const parts = { platform: "0a1b2c3d", bridge: "docker0", egressAllow: ["10.0.0.5:5432"] };
  const { chains } = formatBuildFirewall({ ...parts, resolvers: ["10.255.0.53"] });
  const rulesTo = (where: string) =>
    (chains.find(({ direction }) => direction === where)?.rules ?? []).map((rule) =>
      rule.join(" "),
    );

  const [established, ...rest] = rulesTo("in");
  const through = rulesTo("through");

  t.regex(established ?? "", /ESTABLISHED,RELATED -j ACCEPT$/);
  t.deepEqual(rest, [
    "-d 10.255.0.53 -p udp --dport 53 -j ACCEPT",
    "-d 10.255.0.53 -p tcp --dport 53 -j ACCEPT",
    "-j DROP",
  ]);
  t.is(through[1], "-o docker0 -j DROP");
  t.true(through.includes("-d 10.0.0.5 -p tcp --dport 5432 -j RETURN"));
  t.true(through.includes("-d 10.0.0.0/8 -j DROP"));
});

for (const target of ["example.org", "10.0.0.1 -j ACCEPT", "10.0.0.1:http", "10.0.0.1\n-A INPUT"]) {
  test(`egressAllow ${JSON.stringify(target)} is refused`, (t) => {
    t.throws(() => rulesOf({ egressAllow: [target] }), { message: /egressAllow holds .*expected/ });
  });
}
