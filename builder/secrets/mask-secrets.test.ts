import test from "ava";
import { createMask } from "./mask-secrets.ts";

const SECRET = "pa ss/wörd+&=(1)";
const base64 = (text: string) => Buffer.from(text).toString("base64");
const mask = createMask(
  new Map([
    ["password", Buffer.from(`${SECRET}\n`)],
    ["key", Buffer.from("-----BEGIN KEY-----\nMIIBkTCB9874\nabcdefghijkl\n-----END KEY-----\n")],
    ["long", Buffer.from("0123456789".repeat(20))],
    ["short", Buffer.from("ab")],
  ]),
);

for (const [how, text] of [
  ["plain", SECRET],
  ["as JavaScript writes it in a URL", encodeURIComponent(SECRET)],
  ["as a form field", new URLSearchParams({ a: SECRET }).toString().slice(2)],
  ["as Python writes it in a URL", "pa%20ss/w%C3%B6rd%2B%26%3D%281%29"],
  ["in a URL, in lower case", encodeURIComponent(SECRET).toLowerCase()],
  ["in base64", base64(SECRET)],
  ["in base64 of a line", base64(`${SECRET}\n`)],
  ["in base64 for URLs", Buffer.from(SECRET).toString("base64url")],
  ["in base64 in a URL", encodeURIComponent(base64(SECRET))],
  ["in base64 behind a user's name", base64(`u:${SECRET}`)],
  ["in base64 behind a longer name", base64(`usr:${SECRET}`)],
  ["in base64 behind yet a longer name", base64(`user:${SECRET}`)],
] as const)
  test(`a secret is hidden ${how}`, (t) => {
    const hidden = mask.hide(`before ${text} after`);

    t.regex(hidden, /^before (\S{0,7}\*\*\*\S{0,4}) after$/);
    t.false(hidden.includes(text));
  });

test("each line of a secret is hidden, and each line that base64 makes of it", (t) => {
  t.is(mask.hide("a MIIBkTCB9874 b"), "a *** b");
  const wrapped = base64("0123456789".repeat(20)).match(/.{1,76}/g) ?? [];

  t.is(wrapped.length, 4);
  for (const line of wrapped) t.regex(mask.hide(line), /^\*\*\*.{0,3}$/);
});

test("all of several are hidden, and what is around them stays", (t) => {
  t.is(mask.hide(`${SECRET}${SECRET}, MIIBkTCB9874; pa ss`), "******, ***; pa ss");
});

test("a secret of less than four characters is in every text, and hides none", (t) => {
  t.is(mask.hide("about cabs"), "about cabs");
});

test("without secrets nothing is held and nothing changes", (t) => {
  const nothing = createMask(new Map());

  t.is(nothing.hide("tea"), "tea");
  t.is(nothing.longest, 0);
});
