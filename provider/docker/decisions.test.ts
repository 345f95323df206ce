import test from "ava";
import { decideAdoption, type OwnContainer } from "./adopt-containers.ts";
import { decideUser } from "./format-container.ts";
import { isPublic } from "./gateway-door.ts";
import { decideRemedy } from "./start-container.ts";

for (const [user, expected] of [
  ["", "65534:65534"],
  ["root", "65534:65534"],
  ["0", "65534:65534"],
  ["0:1000", "65534:65534"],
  ["app", "65534:65534"],
  ["00", "65534:65534"],
  ["1000", "1000:1000"],
  ["1000:0", "65534:65534"],
  ["1000:50", "1000:50"],
] as const) {
  test(`an image with user "${user}" runs as ${expected}`, (t) => {
    t.is(decideUser(user, 65_534), expected);
  });
}

for (const [target, expected] of [
  ["/function/alice-cart", true],
  ["/function/alice-cart/a/b?c=/system/", true],
  ["/function/alice-cart.openfaas-fn?x", true],
  ["/async-function/alice-cart", true],
  ["/async-status/1b-2c", true],
  ["/healthz", true],
  ["/healthz/../system/functions", false],
  ["/function/github-push.openfaas-system", false],
  ["/async-function/git-tar.openfaas-system/x", false],
  ["/function/", false],
  ["/function/%2e%2e/system", false],
  ["/system/functions", false],
  ["//system/functions", false],
  ["http://gateway/function/x", false],
  ["/build", false],
  ["/github-event", false],
  ["*", false],
] as const) {
  test(`functions ${expected ? "reach" : "do not reach"} ${target} of the gateway`, (t) => {
    t.is(isPublic(target), expected);
  });
}

test("running copies of what serves are adopted; others of this platform are not", (t) => {
  const serving: OwnContainer = {
    containerId: "c1",
    id: "00000001",
    name: "fn",
    release: "r2",
    fence: 5,
    address: "10.0.0.2",
    isRunning: true,
    isPaused: false,
  };
  const others = [
    { ...serving, isRunning: false },
    { ...serving, address: "" },
    { ...serving, fence: 4 },
    { ...serving, release: "r1" },
    { ...serving, name: "gone" },
  ];
  const deployment = { service: "fn", image: "x" };
  const record = {
    v: 1,
    name: "fn",
    createdAt: "",
    replicas: 1,
    fence: 6,
    current: { release: "r2", fence: 5, deployment },
    next: { release: "r1", fence: 6, deployment },
  } as const;

  t.deepEqual(decideAdoption([serving, ...others], [record]), { kept: [serving], others });
});

for (const [message, statusCode, expected] of [
  ["network ofc-1 not found", 404, "make-network"],
  ["could not find a network matching network mode ofc-1", 404, "make-network"],
  ["Address already in use", 500, "try-again"],
  ["No such container: 12", 404, "try-again"],
  ["OCI runtime create failed: network x not found", undefined, "give-up"],
  ["no space left on device", 500, "give-up"],
] as const) {
  test(`"${message}" (${statusCode}) is answered with ${expected}`, (t) => {
    t.is(decideRemedy(Object.assign(new Error(message), { statusCode })), expected);
  });
}
