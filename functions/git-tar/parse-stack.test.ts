import test from "ava";
import fc from "fast-check";
import { parseStack } from "./parse-stack.ts";
import { StackError } from "./stack-error.ts";

const options = { ownerSlug: "alice", dockerfile: false };

/** A stack of one function `cart` with these fields besides `lang` and `handler`. */
function stackWith(fields: string, { head = "", tail = "" } = {}): string {
  const indented = fields
    .split("\n")
    .map((line) => `    ${line}`)
    .join("\n");
  return `${head}provider:\n  name: openfaas\nfunctions:\n  cart:\n    lang: node24\n    handler: ./cart\n${indented}\n${tail}`;
}

function parseCart(fields: string) {
  const { functions, notes } = parseStack(stackWith(fields), options);
  return { ...functions[0], notes };
}

test("a stack file becomes functions with every scalar as it was written", (t) => {
  const text = `\uFEFFversion: 1.0
provider: {name: faas, gateway: "http://127.0.0.1:8080"}
functions:
  cart:
    lang: node22
    handler: ./cart/
    image: alice/cart:0.2
    environment:
      answer: 0x1F
      on: on
      ratio: 1.0
      none: ~
      empty:
      quoted: "null"
      constructor: kept
    environment_file: [./env.yml]
    secrets: [db, db, api-key]
    labels: {com.openfaas.scale.zero: "false"}
    annotations:
      topic: orders
      schedule: "*/5 * * * *"
      com.openfaas.health.http.path: /healthz
      com.openfaas.health.http.initialDelay: 5s
      com.openfaas.retry.attempts: "3"
    build_args: {GO111MODULE: on}
configuration:
  copy: [./common, a/b]
`;

  const stack = parseStack(text, options);

  t.deepEqual(stack, {
    functions: [
      {
        name: "cart",
        lang: "node22",
        handler: "cart",
        environment: Object.fromEntries([
          ["answer", "0x1F"],
          ["on", "on"],
          ["ratio", "1.0"],
          ["none", ""],
          ["empty", ""],
          ["quoted", "null"],
          ["constructor", "kept"],
        ]),
        environmentFiles: ["env.yml"],
        secrets: ["db", "api-key"],
        scaleToZero: false,
        annotations: {
          topic: "orders",
          schedule: "*/5 * * * *",
          "com.openfaas.health.http.path": "/healthz",
          "com.openfaas.health.http.initialDelay": "5s",
          "com.openfaas.retry.attempts": "3",
        },
        buildArgs: { GO111MODULE: "on" },
      },
    ],
    copy: ["common", "a/b"],
    notes: [],
  });
});

test("anchors and merge keys work", (t) => {
  const text = `provider: {name: openfaas}
x-all: &all {lang: node24, environment: {A: "1"}}
functions:
  one: {<<: *all, handler: one}
  two: {<<: *all, handler: two, environment: {B: "2"}}
`;

  const { functions } = parseStack(text, options);

  t.deepEqual(
    functions.map(({ name, lang, environment }) => ({ name, lang, environment })),
    [
      { name: "one", lang: "node24", environment: { A: "1" } },
      { name: "two", lang: "node24", environment: { B: "2" } },
    ],
  );
});

test("what the platform decides itself is ignored and noted", (t) => {
  const { notes } = parseCart(
    [
      "limits: {memory: 1e9Gi}",
      "namespace: kube-system",
      "fprocess: sh",
      "enviroment: {A: b}",
      "labels: {com.openfaas.scale.max: '1000000'}",
      "annotations: {com.openfaas.cloud.git-owner: bob}",
      "build_args: {http_proxy: x}",
    ].join("\n"),
  );

  t.deepEqual(notes, [
    "functions.cart.limits is decided by the platform; it is ignored",
    "functions.cart.namespace is decided by the platform; it is ignored",
    "functions.cart.fprocess is decided by the platform; it is ignored",
    "functions.cart.enviroment is not a field of stack.yml; it is ignored",
    "functions.cart.labels.com.openfaas.scale.max is not a label the platform takes; it is dropped",
    "functions.cart.annotations.com.openfaas.cloud.git-owner is not an annotation the platform takes; it is dropped",
    "functions.cart.build_args.http_proxy is not a build argument the platform takes; it is dropped",
  ]);
});

test("the default of a variable is taken, and a variable without one is kept and noted", (t) => {
  const { environment, notes } = parseCart(
    "environment: {URL: '${URL:-http://${HOST:-shop}/}', HOME: '${HOME}', LITERAL: '$${A:-b}'}",
  );

  t.deepEqual(environment, { URL: "http://shop/", HOME: "${HOME}", LITERAL: "${A:-b}" });
  t.deepEqual(notes, [
    'functions.cart.environment.HOME: "${HOME}" is left as written; a push has no variables, only defaults',
  ]);
});

test("a value keeps its lines and its $, and nothing in it is run or replaced", (t) => {
  const { environment } = parseCart(
    'environment: {LINES: "a\\nb", SHELL_TEXT: "$(id) `id` $HOME", OPEN: "${", B: "c=d"}',
  );

  t.deepEqual(environment, {
    LINES: "a\nb",
    SHELL_TEXT: "$(id) `id` $HOME",
    OPEN: "${",
    B: "c=d",
  });
});

test("absurd limits, replicas and constraints change nothing: the platform decides them", (t) => {
  const fields = [
    "limits: {memory: -1, cpu: NaN}",
    "requests: {memory: 1e9Gi, cpu: 0}",
    "constraints: [node.role == manager]",
    "readonly_root_filesystem: false",
    "network: host",
    "labels: {com.openfaas.scale.min: '1000000', com.openfaas.scale.max: '1000000'}",
  ];

  const { notes, ...plain } = parseCart(fields.join("\n"));
  const { notes: none, ...without } = parseCart("");

  t.deepEqual(plain, without);
  t.deepEqual([notes.length, none.length], [7, 0]);
});

for (const [text, expected] of [
  ["'0'", false],
  ["FALSE", false],
  ["f", false],
  ["T", true],
  ["maybe", true],
] as const) {
  test(`a scale-to-zero label of ${text} means ${expected}`, (t) => {
    t.is(parseCart(`labels: {com.openfaas.scale.zero: ${text}}`).scaleToZero, expected);
  });
}

test("lang dockerfile is taken in any case where the operator allows it", (t) => {
  const text = stackWith("").replace("lang: node24", "lang: Dockerfile");

  const { functions } = parseStack(text, { ...options, dockerfile: true });

  t.is(functions[0]?.lang, "dockerfile");
});

const handler = (value: string) => stackWith("").replace("./cart", value);
const key = (name: string) => stackWith("").replace("cart:", `${name}:`);
const INSIDE = "it must be a folder inside the repository";

const REFUSALS: readonly (readonly [title: string, text: string, message: string | RegExp])[] = [
  ["nothing at all", "", "stack.yml is not a map of fields"],
  ["a list", "- a", "stack.yml is not a map of fields"],
  ["a plain text", "hello", "stack.yml is not a map of fields"],
  ["broken YAML", "a: [", /^stack\.yml is not readable YAML: /],
  ["a tab as indentation", "a:\n\tb: c", /^stack\.yml is not readable YAML: /],
  ["an unknown alias", "a: *b", /^stack\.yml is not readable YAML: /],
  ["a duplicate key", "a: b\na: c", 'stack.yml holds the key "a" twice'],
  [
    "a duplicate function",
    stackWith("", { tail: "  cart: {lang: x, handler: y}\n" }),
    'stack.yml holds the key "cart" twice',
  ],
  ["a key that is a list", "? [a]\n: b", "stack.yml holds a key that is not a text"],
  [
    "a custom tag",
    "a: !!js/function x",
    'stack.yml holds the tag "!!js/function"; tags are not read',
  ],
  [
    "a file of 600 KiB",
    `#${"x".repeat(600 * 1024)}`,
    "stack.yml is 614401 bytes; at most 524288 are read",
  ],
  ["flow lists 100,000 deep", "[".repeat(100_000), "stack.yml is nested deeper than 32 levels"],
  ["block lists 100,000 deep", "- ".repeat(100_000), "stack.yml is nested deeper than 32 levels"],
  ["200 aliases", `a: &a b\nc: [${"*a, ".repeat(200)}]`, "stack.yml uses more than 100 aliases"],
  [
    "a YAML bomb",
    bomb(),
    /^stack\.yml (is not readable YAML: Excessive alias count|holds more than)/,
  ],
  [
    "100,000 keys",
    Array.from({ length: 60_000 }, (_, i) => `k${i}:`).join("\n"),
    /^stack\.yml holds more than 20000 values/,
  ],
  [
    "version 2.0",
    stackWith("", { head: "version: 2.0\n" }),
    'version is "2.0"; it must be "1.0" or absent',
  ],
  [
    "another provider",
    "provider: {name: knative}",
    'provider.name is "knative"; it must be "openfaas"',
  ],
  ["no provider", "functions: {}", 'provider.name is ""; it must be "openfaas"'],
  [
    "no functions",
    "provider: {name: openfaas}",
    "functions is empty in stack.yml; name at least one",
  ],
  [
    "functions as a list",
    "provider: {name: openfaas}\nfunctions: [a]",
    "functions is a list; it must be a map",
  ],
  [
    "a function that is a text",
    "provider: {name: openfaas}\nfunctions: {cart: x}",
    'functions.cart is "x"; it must be a map',
  ],
  ["51 functions", many(51), 'functions is "51"; at most 50 entries are allowed'],
  [
    "a function key that climbs",
    key("'../../x'"),
    'function "../../x": a name is lower-case letters, digits and "-" (a DNS label)',
  ],
  [
    "a function key in upper case",
    key("Cart"),
    'function "Cart": a name is lower-case letters, digits and "-" (a DNS label)',
  ],
  [
    "an empty function key",
    key("''"),
    'function "": a name is lower-case letters, digits and "-" (a DNS label)',
  ],
  ["a function key with --", key("a--b"), 'function "a--b": "--" is kept for versions'],
  [
    "a function key of a preview",
    key("pr7-cart"),
    'function "pr7-cart": "pr<number>-" is kept for previews',
  ],
  ["a function key that is too long", key("a".repeat(49)), /at most 54 fit$/],
  [
    "a handler above the repository",
    handler("../x"),
    `functions.cart.handler is "../x"; ${INSIDE}`,
  ],
  [
    "a handler that climbs later",
    handler("a/../../x"),
    `functions.cart.handler is "a/../../x"; ${INSIDE}`,
  ],
  ["an absolute handler", handler("/etc"), `functions.cart.handler is "/etc"; ${INSIDE}`],
  [
    "a handler with a line feed",
    handler('"a\\nb"'),
    `functions.cart.handler is "a\\nb"; ${INSIDE}`,
  ],
  ["a handler with a NUL", handler('"a\\0b"'), `functions.cart.handler is "a\\u0000b"; ${INSIDE}`],
  ["no handler", handler("~"), `functions.cart.handler is ""; ${INSIDE}`],
  [
    "a handler that is a map",
    handler("{a: b}"),
    "functions.cart.handler is a map; it must be a text",
  ],
  [
    "no lang",
    stackWith("").replace("lang: node24", "image: x"),
    'functions.cart.lang is ""; it must be the name of a template',
  ],
  [
    "a lang that is a path",
    stackWith("").replace("node24", "../../etc"),
    'functions.cart.lang is "../../etc"; it must be the name of a template',
  ],
  [
    "lang dockerfile",
    stackWith("").replace("node24", "Dockerfile"),
    'functions.cart.lang is "Dockerfile"; this platform builds from its own templates only (enable_dockerfile_lang is off)',
  ],
  [
    "skip_build",
    stackWith("skip_build: true"),
    'functions.cart.skip_build is "true"; every function is built from this repository',
  ],
  [
    "skip_build in YAML 1.1",
    stackWith("skip_build: yes"),
    'functions.cart.skip_build is "true"; every function is built from this repository',
  ],
  [
    "an environment that is a list",
    stackWith("environment: [a]"),
    "functions.cart.environment is a list; it must be a map",
  ],
  [
    "a variable that is a map",
    stackWith("environment: {A: {b: c}}"),
    "functions.cart.environment.A is a map; it must be a text",
  ],
  [
    "a variable named with =",
    stackWith("environment: {'A=B': c}"),
    /^functions\.cart\.environment: the name "A=B" is not a variable's name/,
  ],
  [
    "a variable named with a line feed",
    stackWith('environment: {"A\\nB": c}'),
    /^functions\.cart\.environment: the name "A\\nB" is not a variable's name/,
  ],
  [
    "a variable that no shell could set",
    stackWith("environment: {A-B: c}"),
    /^functions\.cart\.environment: the name "A-B" is not a variable's name/,
  ],
  [
    "a variable of the platform's",
    stackWith("environment: {__proto__: c}"),
    /^functions\.cart\.environment: the name "__proto__" begins with "__"/,
  ],
  [
    "a variable without a name",
    stackWith("environment: {'': c}"),
    /^functions\.cart\.environment: the name "" is not a variable's name/,
  ],
  [
    "a variable with a NUL",
    stackWith('environment: {A: "b\\0c"}'),
    /^functions\.cart\.environment\.A is "b\\u0000c"; /,
  ],
  ...["LD_PRELOAD", "LD_AUDIT", "NODE_OPTIONS", "BASH_ENV", "GLIBC_TUNABLES", "PYTHONPATH"].map(
    (name) =>
      [
        `the variable ${name}`,
        stackWith(`environment: {${name}: x}`),
        `functions.cart.environment: the name "${name}" decides what a program loads and cannot be set`,
      ] as const,
  ),
  [
    "an environment of 200 KiB",
    stackWith(`environment: {A: ${"x".repeat(200_000)}}`),
    /^functions\.cart\.environment is "200003 bytes"; at most 98304 fit/,
  ],
  [
    "an environment file above the repository",
    stackWith("environment_file: [/proc/self/environ]"),
    'functions.cart.environment_file is "/proc/self/environ"; it must be a file inside the repository',
  ],
  [
    "the repository as environment file",
    stackWith("environment_file: [.]"),
    'functions.cart.environment_file is "."; it must be a file inside the repository',
  ],
  [
    "a secret in upper case",
    stackWith("secrets: [DB]"),
    'functions.cart.secrets is "DB"; a name is lower-case letters, digits and "-" (a DNS label)',
  ],
  [
    "a secret that climbs",
    stackWith("secrets: [../bob]"),
    'functions.cart.secrets is "../bob"; a name is lower-case letters, digits and "-" (a DNS label)',
  ],
  [
    "51 secrets",
    stackWith(`secrets: [${Array.from({ length: 51 }, (_, i) => `s${i}`).join()}]`),
    'functions.cart.secrets is "51"; at most 50 entries are allowed',
  ],
  [
    "a schedule every second",
    stackWith("annotations: {schedule: '* * * * * *'}"),
    /^functions\.cart\.annotations\.schedule is "\* \* \* \* \* \*"; it must be five cron fields/,
  ],
  [
    "a health path that is a URL",
    stackWith("annotations: {com.openfaas.health.http.path: http://x}"),
    /it must be a path such as "\/healthz"$/,
  ],
  [
    "a health delay without a unit",
    stackWith("annotations: {com.openfaas.health.http.initialDelay: soon}"),
    /it must be a duration such as "5s"$/,
  ],
  [
    "a topic of two lines",
    stackWith('annotations: {topic: "a\\nb"}'),
    /it must be one line of at most 1,024 characters$/,
  ],
  [
    "copying from above the repository",
    stackWith("", { tail: "configuration: {copy: [../other]}" }),
    'configuration.copy is "../other"; it must be a path inside the repository, not its root',
  ],
  [
    "copying the whole repository",
    stackWith("", { tail: "configuration: {copy: [.]}" }),
    'configuration.copy is "."; it must be a path inside the repository, not its root',
  ],
];

for (const [title, text, message] of REFUSALS) {
  test(`a stack file is refused: ${title}`, (t) => {
    t.throws(() => parseStack(text, options), { instanceOf: StackError, message });
  });
}

test("templates of the repository's choice are ignored and noted", (t) => {
  const text = stackWith("", { tail: "configuration: {templates: [{name: x, source: /etc}]}" });

  const { notes } = parseStack(text, options);

  t.deepEqual(notes, [
    "configuration.templates is ignored; the platform builds from its own templates",
  ]);
});

test("whatever the text, a stack file is read or refused, within a second of one core", (t) => {
  const piece = fc.oneof(
    fc.constantFrom(
      ...":-?*&!|>'\"%@`{}[],#\n\t \r~$",
      "<<: *a",
      "&a ",
      "functions:",
      "  cart:",
      "${",
      "$${",
      "}",
      ":-",
      "---\n",
      "\u0000",
      "\uFEFF",
    ),
    fc.string({ unit: "binary", maxLength: 12 }),
    fc.constantFrom(
      ...stackWith("secrets: [a]")
        .split("\n")
        .map((line) => `${line}\n`),
    ),
  );
  const texts = fc.array(piece, { maxLength: 60 }).map((pieces) => pieces.join(""));

  fc.assert(fc.property(texts, isReadOrRefused), { numRuns: 1_500 });
  t.pass();
});

test("whatever name or path a stack file holds, what is read stays inside", (t) => {
  const text = fc.oneof(
    fc.string({ unit: "binary" }),
    fc
      .array(fc.constantFrom("..", ".", "a", "/", "", "-", "\\", "é", "\n"), { maxLength: 8 })
      .map((parts) => parts.join("/")),
  );

  fc.assert(
    fc.property(text, text, (name, path) => {
      const stack = read(
        JSON.stringify({
          provider: { name: "openfaas" },
          functions: { [name]: { lang: "x", handler: path } },
          configuration: { copy: [path] },
        }),
      );
      for (const fn of stack?.functions ?? [])
        t.regex(`${fn.name}`, /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/);
      for (const kept of [
        ...(stack?.functions ?? []).map((fn) => fn.handler),
        ...(stack?.copy ?? []),
      ])
        t.false(kept.startsWith("/") || kept.split("/").includes(".."), kept);
    }),
    { numRuns: 1_000 },
  );
});

test("whatever follows the rules is read as it was written", (t) => {
  const word = fc.stringMatching(/^[a-z][a-z0-9]{0,8}$/);
  const text = fc
    .string({ unit: "grapheme" })
    .filter((value) => !/[\0$]|^(~|null|Null|NULL)?$/.test(value));
  const variables = fc.dictionary(
    fc.stringMatching(/^[A-Z]{1,8}$/).filter((name) => name !== "IFS"),
    text,
  );
  const fn = fc.record({ handler: word, environment: variables, secrets: fc.uniqueArray(word) });

  fc.assert(
    fc.property(
      fc.dictionary(word, fn, { minKeys: 1, maxKeys: 5, noNullPrototype: true }),
      (asked) => {
        const functions = Object.fromEntries(
          Object.entries(asked).map(([name, one]) => [name, { lang: "node24", ...one }]),
        );
        const stack = parseStack(
          JSON.stringify({ provider: { name: "openfaas" }, functions }),
          options,
        );
        t.deepEqual(
          Object.fromEntries(
            stack.functions.map(({ name, handler, environment, secrets }) => [
              name,
              { handler, environment: { ...environment }, secrets: [...secrets] },
            ]),
          ),
          Object.fromEntries(
            Object.entries(asked).map(([name, one]) => [
              name,
              { ...one, environment: { ...one.environment } },
            ]),
          ),
        );
      },
    ),
  );
});

function isReadOrRefused(text: string): boolean {
  const before = process.cpuUsage();
  read(text);
  const { user, system } = process.cpuUsage(before);
  return user + system < 1_000_000;
}

function read(text: string) {
  try {
    return parseStack(text, options);
  } catch (error) {
    if (error instanceof StackError) return undefined;
    throw error;
  }
}

function bomb(): string {
  const lines = Array.from(
    { length: 9 },
    (_, i) => `l${i + 1}: &l${i + 1} [${`*l${i}, `.repeat(9)}]`,
  );
  return ["l0: &l0 x", ...lines].join("\n");
}

function many(count: number): string {
  const functions = Array.from({ length: count }, (_, i) => `  f${i}: {lang: x, handler: y}`);
  return `provider: {name: openfaas}\nfunctions:\n${functions.join("\n")}`;
}
