import test from "ava";
import { deploymentBody } from "./parse-deployment.ts";
import { readBody } from "./read-body.ts";

const minimal = { service: "figlet", image: "x" };

for (const [title, body, expected] of [
  ["the minimal body", minimal, minimal],
  ["unknown and legacy keys", { ...minimal, network: "n", registryAuth: "a", more: [1] }, minimal],
  [
    "null for everything that may be absent",
    {
      ...minimal,
      namespace: null,
      envProcess: null,
      envVars: null,
      constraints: null,
      secrets: null,
      labels: null,
      annotations: null,
      limits: null,
      requests: null,
      readOnlyRootFilesystem: null,
    },
    minimal,
  ],
  [
    "limits with unset fields",
    { ...minimal, limits: { memory: "5Mi", cpu: null } },
    { ...minimal, limits: { memory: "5Mi" } },
  ],
  [
    "the users' namespace",
    { ...minimal, namespace: "openfaas-fn" },
    { ...minimal, namespace: "openfaas-fn" },
  ],
  [
    "a name of 63 characters",
    { ...minimal, service: "a".repeat(63) },
    { ...minimal, service: "a".repeat(63) },
  ],
  [
    "values with newlines, quotes and commands",
    { ...minimal, envVars: { A: "a\nb'\"$(id)`$x" }, annotations: { "any key\n": "{\n\t}" } },
    { ...minimal, envVars: { A: "a\nb'\"$(id)`$x" }, annotations: { "any key\n": "{\n\t}" } },
  ],
  [
    "variables that are the function's own affair",
    {
      ...minimal,
      envVars: { PYTHONUNBUFFERED: "1", NODE_ENV: "production", PATH: "/bin", ENV: "x" },
    },
    {
      ...minimal,
      envVars: { PYTHONUNBUFFERED: "1", NODE_ENV: "production", PATH: "/bin", ENV: "x" },
    },
  ],
] as const) {
  test(`${title} is taken`, async (t) => {
    const parsed = await readBody(post(JSON.stringify(body)), deploymentBody);

    t.deepEqual(JSON.parse(JSON.stringify(parsed)), expected);
  });
}

for (const [body, problem] of [
  [{}, /service: /],
  [{ service: "fn" }, /image: /],
  [{ service: "fn", image: "" }, /image: is required/],
  [[], /the body: /],
  [null, /the body: /],
  ["text", /the body: /],
  [{ ...minimal, service: "Fn" }, /service: must be lower-case/],
  [{ ...minimal, service: "a/b" }, /service: /],
  [{ ...minimal, service: ".." }, /service: /],
  [{ ...minimal, service: "fn." }, /service: /],
  [{ ...minimal, service: "fn-" }, /service: /],
  [{ ...minimal, service: "fn\n" }, /service: /],
  [{ ...minimal, service: "fn--1a2b3c4" }, /service: "--" is kept for versions/],
  [{ ...minimal, service: "fünf" }, /service: /],
  [{ ...minimal, service: "a".repeat(64) }, /service: /],
  [{ ...minimal, service: 7 }, /service: /],
  [{ ...minimal, namespace: "openfaas-system" }, /namespace: must be openfaas-fn/],
  [{ ...minimal, namespace: "kube-system" }, /namespace: must be openfaas-fn/],
  [{ ...minimal, image: "x\0y" }, /image: holds a NUL byte/],
  [{ ...minimal, labels: { n: 1 } }, /labels\.n: /],
  [{ ...minimal, labels: [] }, /labels: /],
  [{ ...minimal, annotations: { big: "x".repeat(300_000) } }, /annotations: holds more than/],
  [{ ...minimal, secrets: "one" }, /secrets: /],
  [{ ...minimal, secrets: [null] }, /secrets\.0: /],
  [{ ...minimal, limits: { memory: 5 } }, /limits\.memory: /],
  [{ ...minimal, readOnlyRootFilesystem: "true" }, /readOnlyRootFilesystem: /],
  [{ ...minimal, envVars: { N: 1 } }, /envVars\.N: /],
  [{ ...minimal, envVars: { N: "a\0b" } }, /envVars\.N: holds a NUL byte/],
  [{ ...minimal, envVars: { "A=B": "x" } }, /envVars\.A=B: is not a variable's name/],
  [{ ...minimal, envVars: { "A\nB": "x" } }, /is not a variable's name/],
  [{ ...minimal, envVars: { "1A": "x" } }, /envVars\.1A: /],
  [{ ...minimal, envVars: { "": "x" } }, /envVars\.: /],
  [
    { ...minimal, envVars: { LD_PRELOAD: "x" } },
    /envVars\.LD_PRELOAD: decides what a program loads/,
  ],
  [{ ...minimal, envVars: { NODE_OPTIONS: "x" } }, /envVars\.NODE_OPTIONS: decides/],
  [{ ...minimal, envVars: { PYTHONPATH: "x" } }, /envVars\.PYTHONPATH: decides/],
  [{ ...minimal, envVars: { BASH_ENV: "x" } }, /envVars\.BASH_ENV: decides/],
  [{ ...minimal, envVars: { __name: "x" } }, /envVars\.__name: begins with "__"/],
  [{ ...minimal, envVars: { BIG: "x".repeat(600_000) } }, /envVars: holds more than/],
] as const) {
  test(`${JSON.stringify(body).slice(0, 90)} is refused, naming ${problem.source}`, async (t) => {
    await t.throwsAsync(readBody(post(JSON.stringify(body)), deploymentBody), {
      message: problem,
      name: "HttpError",
    });
  });
}

test("a key that would change an object's prototype is left out", async (t) => {
  const text =
    '{"service":"fn","image":"x","envVars":{"__proto__":{"a":"b"}},"__proto__":{"image":"y"}}';

  const parsed = await readBody(post(text), deploymentBody);

  t.is(parsed.image, "x");
  t.deepEqual(Object.keys(parsed.envVars ?? {}), []);
  t.is(Object.getPrototypeOf(parsed.envVars ?? {}), Object.prototype);
});

for (const [title, text, status] of [
  ["no JSON", "{", 400],
  ["nothing", "", 400],
  ["more than two megabytes", JSON.stringify({ ...minimal, more: "x".repeat(2_100_000) }), 413],
] as const) {
  test(`a body of ${title} is answered ${status}`, async (t) => {
    const error = await t.throwsAsync(readBody(post(text), deploymentBody));

    t.like(error, { status });
  });
}

function post(body: string): Request {
  return new Request("http://provider/system/functions", { method: "POST", body });
}
