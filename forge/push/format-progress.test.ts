import test from "ava";
import type { BuildEvent } from "#sdk/messages.ts";
import { formatHeartbeat, formatProgress, nothingTold } from "./format-progress.ts";

type Said = BuildEvent extends infer Event
  ? Event extends unknown
    ? Omit<Event, "v" | "at">
    : never
  : never;

const planned: Said = {
  type: "planned",
  repository: "alice/shop",
  sha: "1a2b3c4d5e6f70819203a4b5c6d7e8f901234567",
  functions: [
    { name: "cart", lang: "node24", action: "build" },
    { name: "banner", lang: "bash", action: "build" },
  ],
};
const fetched: Said = { type: "fetched", ms: 12 };
const HEAD = "shop@1a2b3c4  2 functions: cart (node24), banner (bash)";

function tell(events: readonly Said[]) {
  let state = nothingTold;
  const lines: string[] = [];
  for (const event of events) {
    const told = formatProgress(state, { ...event, v: 1, at: 0 } as BuildEvent);
    state = told.state;
    lines.push(...told.lines);
  }
  return { state, lines };
}

const TABLE: readonly {
  readonly title: string;
  readonly events: readonly Said[];
  readonly lines: readonly string[];
}[] = [
  {
    title: "a build that goes well",
    events: [
      fetched,
      planned,
      { type: "function", name: "cart", step: "building" },
      { type: "function", name: "cart", step: "built", ms: 310 },
      { type: "function", name: "cart", step: "starting" },
      { type: "function", name: "cart", step: "healthy", ms: 90 },
      { type: "function", name: "banner", step: "cached" },
      { type: "function", name: "banner", step: "healthy", ms: 20 },
      {
        type: "ended",
        state: "live",
        reason: "",
        ms: 460,
        urls: [
          {
            name: "cart",
            url: "http://h/function/alice-cart",
            prettyUrl: "http://alice.localhost/cart",
          },
          { name: "banner", url: "http://h/function/alice-banner" },
        ],
      },
    ],
    lines: [
      HEAD,
      "cart    fetched 12 ms · built 310 ms · healthy 90 ms",
      "banner  fetched 12 ms · built before · healthy 20 ms",
      "live in 0.46 s",
      "  http://h/function/alice-cart       http://alice.localhost/cart",
      "  http://h/function/alice-banner",
      "  this version stays at http://h/function/alice-cart--1a2b3c4, likewise banner",
    ],
  },
  {
    title: "a build that fails, with the end of its log and no terminal codes",
    events: [
      planned,
      { type: "note", text: "the template is\u0007 old" },
      { type: "function", name: "cart", step: "building" },
      {
        type: "log",
        name: "cart",
        text: "\u001b[31mnpm ERR!\u001b[0m no such script\r\n\nbye\u202e",
      },
      { type: "function", name: "cart", step: "failed", ms: 1200, reason: "npm ended with 1" },
      { type: "ended", state: "failed", reason: "cart: npm ended with 1", ms: 1300, urls: [] },
    ],
    lines: [
      HEAD,
      "note: the template is old",
      "cart    failed while building after 1.20 s: npm ended with 1",
      "  | npm ERR! no such script",
      "  | bye",
      "failed after 1.30 s: cart: npm ended with 1",
      "What was live before stays live; push a fix.",
    ],
  },
  {
    title: "a failure of the platform, which no fix of the commit would mend",
    events: [
      planned,
      {
        type: "ended",
        state: "failed",
        reason: "gave up building cart: 5 attempts ended without a result",
        fault: "platform",
        ms: 61_000,
        urls: [],
      },
    ],
    lines: [
      HEAD,
      "failed after 1m 1s: gave up building cart: 5 attempts ended without a result",
      "What was live before stays live. The platform is at fault, not the commit: push again later, or have its operator look (./ofc doctor) and try again (./ofc redeploy).",
    ],
  },
  {
    title: "unchanged functions, told once",
    events: [
      {
        ...planned,
        functions: [
          { name: "cart", lang: "node24", action: "unchanged" },
          { name: "a", lang: "bash", action: "unchanged" },
        ],
      },
      { type: "function", name: "a", step: "unchanged" },
      { type: "ended", state: "live", reason: "", ms: 80, urls: [] },
    ],
    lines: [
      "shop@1a2b3c4  2 functions: cart (node24), a (bash)",
      "a     unchanged",
      "cart  unchanged",
      "live in 0.08 s",
    ],
  },
  {
    title: "the address of the version that is new, not of one that was left alone",
    events: [
      planned,
      { type: "function", name: "banner", step: "healthy", ms: 20 },
      { type: "function", name: "cart", step: "unchanged" },
      {
        type: "ended",
        state: "live",
        reason: "",
        ms: 80,
        urls: [
          { name: "cart", url: "http://h/function/alice-cart" },
          { name: "banner", url: "http://h/function/alice-banner" },
        ],
      },
    ],
    lines: [
      HEAD,
      "banner  healthy 20 ms",
      "cart    unchanged",
      "live in 0.08 s",
      "  http://h/function/alice-cart",
      "  http://h/function/alice-banner",
      "  this version stays at http://h/function/alice-banner--1a2b3c4",
    ],
  },
  {
    title: "one line for the versions of many functions",
    events: [
      planned,
      ...["cart", "banner", "mail"].map(
        (name): Said => ({ type: "function", name, step: "healthy" }),
      ),
      {
        type: "ended",
        state: "live",
        reason: "",
        ms: 80,
        urls: ["cart", "banner", "mail"].map((name) => ({ name, url: `http://h/${name}` })),
      },
    ],
    lines: [
      HEAD,
      "cart    healthy",
      "banner  healthy",
      "mail    healthy",
      "live in 0.08 s",
      "  http://h/cart",
      "  http://h/banner",
      "  http://h/mail",
      "  this version stays at http://h/cart--1a2b3c4, likewise the other 2",
    ],
  },
  {
    title: "a new function that goes again, because another one of its push failed",
    events: [
      {
        ...planned,
        functions: [
          { name: "cart", lang: "node24", action: "build" },
          { name: "a", lang: "bash", action: "build" },
        ],
      },
      { type: "function", name: "a", step: "healthy", ms: 30 },
      { type: "function", name: "cart", step: "failed", reason: "exit 1" },
      { type: "function", name: "a", step: "removed" },
    ],
    lines: [
      "shop@1a2b3c4  2 functions: cart (node24), a (bash)",
      "a     healthy 30 ms",
      "cart  failed: exit 1",
      "a     removed again: it was new in this push, which did not go live",
    ],
  },
  {
    title: "another branch than the built one",
    events: [
      {
        type: "ended",
        state: "skipped",
        reason: "branch topic is not built, main is",
        ms: 1,
        urls: [],
      },
    ],
    lines: ["not built: branch topic is not built, main is"],
  },
  {
    title: "a build that a newer commit overtook",
    events: [
      { type: "ended", state: "superseded", reason: "superseded by 2b3c4d5", ms: 9, urls: [] },
    ],
    lines: ["superseded by 2b3c4d5; what that push brings is built instead"],
  },
  {
    title: "a build somebody stopped",
    events: [
      { type: "waiting", reason: "another build of main is running" },
      { type: "waiting", reason: "another build of main is running" },
      { type: "ended", state: "cancelled", reason: "by hand", ms: 9, urls: [] },
    ],
    lines: [
      "another build of main is running",
      "cancelled: by hand; what was live before stays live",
    ],
  },
];

for (const { title, events, lines } of TABLE) {
  test(`progress tells ${title}`, (t) => {
    t.deepEqual(tell(events).lines, lines);
  });
}

test("a sign of life names what is open and for how long", (t) => {
  const waiting = formatHeartbeat(nothingTold, 10_000);
  const building = formatHeartbeat(
    tell([
      planned,
      { type: "function", name: "banner", step: "unchanged" },
      { type: "function", name: "cart", step: "building" },
    ]).state,
    20_400,
  );

  t.is(waiting, "waiting for the build to begin, 10 s so far");
  t.is(building, "cart: building, 20 s so far");
});

test("a failure shows at most the last 20 lines of a log, each cut at 500 characters", (t) => {
  const logs = Array.from(
    { length: 30 },
    (_, n): Said => ({ type: "log", name: "cart", text: `${n} ${"x".repeat(600)}` }),
  );

  const { lines } = tell([
    ...logs,
    { type: "function", name: "cart", step: "failed", reason: "r" },
  ]);

  t.is(lines.length, 21);
  t.is(lines[1], `  | 10 ${"x".repeat(497)}…`);
});
