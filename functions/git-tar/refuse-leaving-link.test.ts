import test from "ava";
import { refuseLeavingLink } from "./refuse-leaving-link.ts";
import { StackError } from "./stack-error.ts";

const STAYS: readonly (readonly [title: string, links: Record<string, string>])[] = [
  ["to a file beside it", { "function/a": "b" }],
  ["to nothing that is there", { "function/a": "missing/file" }],
  ["up to the template's files", { "function/a": "../package.json" }],
  ["to the context's root", { "function/a/b": "../../." }],
  ["down and up again", { "function/a": "b/../c" }],
  ["through another link", { current: "releases/1", "function/a": "../current/x" }],
];
const LEAVES: readonly (readonly [title: string, links: Record<string, string>])[] = [
  ["to an absolute path", { "function/a": "/etc/passwd" }],
  ["above the context", { "function/a": "../../secrets" }],
  ["above the context after going down", { "function/a": "b/c/../../../../x" }],
  ["through another link that went up", { "f/b/c/a": "up/../../x", "f/b/c/up": "../../.." }],
  ["nowhere", { "function/a": "" }],
  ["in circles", { a: "b", b: "a" }],
  ["to itself", { a: "a/x" }],
  ["in growing circles", { a: "b/b", b: "a/a" }],
];

for (const [title, links] of STAYS) {
  test(`a link stays in the context: ${title}`, (t) => {
    const map = new Map(Object.entries(links));

    t.notThrows(() => [...map.keys()].map((path) => refuseLeavingLink(path, map)));
  });
}

for (const [title, links] of LEAVES) {
  test(`a link is refused with path and target: ${title}`, (t) => {
    const map = new Map(Object.entries(links));
    const [path = "", target = ""] = Object.entries(links)[0] ?? [];

    const error = t.throws(() => refuseLeavingLink(path, map), { instanceOf: StackError });

    t.true(
      error.message.startsWith(`the link ${JSON.stringify(path)} -> ${JSON.stringify(target)} `),
    );
  });
}
