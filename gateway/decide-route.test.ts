import test from "ava";
import fc from "fast-check";
import { decideRoute } from "./decide-route.ts";
import { hostNames } from "./decide-side.ts";

const names = hostNames("localhost", ["gateway", "10.0.0.5"]);
const MACHINE = "127.0.0.1:8080";

function told(method: string, host: string, target: string): string {
  const route = decideRoute(method, target, host, names);
  switch (route.kind) {
    case "function":
      return `function ${route.service} ${route.path}${route.owner ? ` of ${route.owner}` : ""}`;
    case "system-function":
      return `system-function ${route.service} ${route.path}`;
    case "async":
      return `async ${route.service}${route.isSystem ? " signed" : ""}`;
    case "room":
      return `room ${route.room} ${route.body}`;
    case "refused":
      return `${route.status}${route.allow === undefined ? "" : ` ${route.allow}`}`;
    default:
      return route.kind;
  }
}

const TABLE: readonly (readonly [method: string, host: string, target: string, told: string])[] = [
  // Invocation: raw bytes after the name, whatever they are.
  ["GET", MACHINE, "/function/cart", "function cart /"],
  ["POST", MACHINE, "/function/cart/", "function cart /"],
  ["GET", MACHINE, "/function/cart?a=1", "function cart /?a=1"],
  ["GET", MACHINE, "/function/cart/a%2fb%3F?q=%2e", "function cart /a%2fb%3F?q=%2e"],
  ["GET", MACHINE, "/function/cart//a", "function cart //a"],
  ["GET", MACHINE, "/function/cart.openfaas-fn/x", "function cart.openfaas-fn /x"],
  ["PROPFIND", MACHINE, "/function/cart", "function cart /"],
  ["GET", "localhost", "/function/cart", "function cart /"],
  ["GET", "LOCALHOST:1", "/function/cart", "function cart /"],
  ["GET", "[::1]:8080", "/function/cart", "function cart /"],
  ["GET", "gateway:8080", "/function/cart", "function cart /"],
  ["GET", "10.0.0.5", "/function/cart", "function cart /"],
  ["GET", MACHINE, "/function/", "400"],
  ["GET", MACHINE, "/function//cart", "400"],
  ["GET", MACHINE, "/function/ca%72t", "404"],
  ["GET", MACHINE, "/function", "404"],
  // Path tricks stay with the function they name, or are nobody's.
  [
    "GET",
    MACHINE,
    "/function/cart/../../system/functions",
    "function cart /../../system/functions",
  ],
  ["GET", MACHINE, "/function/../system/functions", "function .. /system/functions"],
  ["GET", MACHINE, "/function/%2e%2e/system/functions", "404"],
  ["GET", MACHINE, "//system/functions", "404"],
  ["GET", MACHINE, "/./system/functions", "404"],
  ["GET", MACHINE, "/system/../endpoints", "404"],
  ["GET", MACHINE, "/system/%2E%2e/endpoints", "404"],
  ["GET", MACHINE, "/system/functions/..", "404"],
  ["GET", MACHINE, "/system\\..\\endpoints", "404"],
  ["GET", MACHINE, "/system%2ffunctions", "404"],
  ["GET", MACHINE, "/%73ystem/functions", "404"],
  ["GET", MACHINE, "/system/function/a%2f..%2f..%2fendpoints", "404"],
  ["GET", MACHINE, "/git/../system/functions", "404"],
  ["GET", MACHINE, "/endpoints", "404"],
  ["POST", MACHINE, "/github-event/../git-tar", "404"],
  // The platform's own functions.
  [
    "POST",
    MACHINE,
    "/function/git-tar.openfaas-system?build=1",
    "system-function git-tar.openfaas-system /?build=1",
  ],
  ["POST", MACHINE, "/function/git-tar.openfaas-system/../github-push", "404"],
  ["POST", MACHINE, "/async-function/cart", "async cart"],
  ["POST", MACHINE, "/async-function/cart.openfaas-fn/x?y", "async cart.openfaas-fn"],
  [
    "POST",
    MACHINE,
    "/async-function/git-tar.openfaas-system",
    "async git-tar.openfaas-system signed",
  ],
  ["GET", MACHINE, "/async-function/cart", "405 POST"],
  ["POST", MACHINE, "/async-function/", "404"],
  ["GET", MACHINE, "/async-status/1b9d", "room queue body"],
  // Machines' endpoints.
  ["POST", MACHINE, "/github-event", "webhook"],
  ["GET", MACHINE, "/github-event", "405 POST"],
  ["POST", MACHINE, "/git/alice/shop.git/git-receive-pack", "room forge upload"],
  ["GET", MACHINE, "/api/v3/repos/alice/shop/git/ref/heads%2Fmain", "room forge body"],
  ["POST", MACHINE, "/build", "room builder upload"],
  ["GET", MACHINE, "/publickey", "room builder body"],
  ["GET", MACHINE, "/healthz", "room provider body"],
  ["HEAD", MACHINE, "/healthz", "405 GET"],
  ["GET", MACHINE, "/ready", "ready"],
  ["GET", MACHINE, "/", "404"],
  ["OPTIONS", MACHINE, "*", "404"],
  // Administration.
  ["GET", MACHINE, "/system/functions?namespace=openfaas-fn", "system-list"],
  ["PUT", MACHINE, "/system/functions", "system-forward"],
  ["PATCH", MACHINE, "/system/functions", "405 GET, POST, PUT, DELETE"],
  ["GET", MACHINE, "/system/info", "system-info"],
  ["POST", MACHINE, "/system/namespace/", "system-forward"],
  ["GET", MACHINE, "/system/nothing", "404"],
  ["GET", MACHINE, "/system/", "404"],
  // The control plane's host serves no function.
  ["POST", "system.localhost:8080", "/github-event", "webhook"],
  ["GET", "system.localhost:8080", "/system/functions", "404"],
  ["GET", "system.localhost:8080", "/function/cart", "404"],
  ["GET", "system.localhost:8080", "/cart", "404"],
  // Owners' hosts serve functions, whatever the path looks like.
  ["GET", "alice.localhost:8080", "/cart", "function alice-cart / of alice"],
  ["GET", "Alice.LocalHost.", "/cart/a?b", "function alice-cart /a?b of alice"],
  ["GET", "alice.localhost", "/cart--abc1234/", "function alice-cart--abc1234 / of alice"],
  ["GET", "alice.localhost", "/system/functions", "function alice-system /functions of alice"],
  ["GET", "alice.localhost", "/function/bob-cart", "function alice-function /bob-cart of alice"],
  ["POST", "alice.localhost", "/github-event", "function alice-github-event / of alice"],
  ["GET", "alice.localhost", "/", "404"],
  ["GET", "alice.localhost", "/cart.openfaas-system", "404"],
  ["GET", "alice.localhost", "/../system/functions", "404"],
  ["GET", "alice.localhost", "/Cart", "404"],
  ["GET", "auth.localhost", "/cart", "404"],
  ["GET", "a--b.localhost", "/cart", "404"],
  // Nobody's hosts.
  ["GET", "a.b.localhost", "/cart", "404"],
  ["GET", "evil.example", "/system/functions", "404"],
  ["GET", "127.0.0.1.evil.example", "/system/functions", "404"],
  ["GET", "localhost.evil.example", "/system/functions", "404"],
  ["GET", "localhost:8080@evil", "/system/functions", "404"],
  ["GET", "user@localhost", "/system/functions", "404"],
  ["GET", "localhost/x", "/system/functions", "404"],
  ["GET", ".localhost", "/cart", "404"],
  ["GET", "evillocalhost", "/cart", "404"],
];

for (const [method, host, target, expected] of TABLE) {
  test(`${method} ${target} on ${host} is ${expected}`, (t) => {
    t.is(told(method, host, target), expected);
  });
}

test("no path on an owner's host is anything but that owner's function", (t) => {
  fc.assert(
    fc.property(fc.string({ unit: "binary-ascii" }), (path) => {
      const route = decideRoute("GET", `/${path}`, "alice.localhost", names);
      if (route.kind === "refused") return;
      t.true(route.kind === "function" && route.owner === "alice", JSON.stringify({ path, route }));
    }),
  );
});

test("a path that a URL parser would fold never reaches a room", (t) => {
  const segments = fc.array(
    fc.constantFrom("..", ".", "%2e", "%2E.", "", "functions", "a", "b.git", "\\", "%2f", "..."),
    { maxLength: 4 },
  );
  const starts = fc.constantFrom(
    "/git/",
    "/api/v3/",
    "/async-status/",
    "/system/",
    "/async-function/",
  );
  fc.assert(
    fc.property(starts, segments, (start, parts) => {
      const target = start + parts.join("/");
      const { kind } = decideRoute("GET", target, MACHINE, names);
      const isFolded = new URL(target, "http://room").pathname !== target;
      t.true(kind === "refused" || !isFolded, `${target} is ${kind}`);
    }),
    { numRuns: 1_000 },
  );
});
