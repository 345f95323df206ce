import test from "ava";
import { asksForAbilities, keepAbilities } from "./keep-abilities.ts";

const PATH = { owner: "a", name: "b", action: "info/refs" } as const;
const ANSWER = "000eversion 2\n0015agent=git/2.39.5\n0000";

function asking(query: string, protocol?: string): Request {
  const headers = protocol === undefined ? {} : { "git-protocol": protocol };
  return new Request(`http://forge/git/a/b.git/info/refs${query}`, { headers });
}

/** Answers in turn, and counts. */
function git(...answers: readonly Response[]) {
  let asked = 0;
  return {
    count: () => asked,
    ask: async () => answers[asked++] ?? new Response("never to be seen", { status: 500 }),
  };
}

async function read(answer: Promise<Response>) {
  const response = await answer;
  return [response.status, response.headers.get("content-type"), await response.text()];
}

test("only a fetch of protocol version 2 asks for nothing else", (t) => {
  const service = "?service=git-upload-pack";

  t.true(asksForAbilities(asking(service, "version=2"), PATH));
  t.false(asksForAbilities(asking(service), PATH));
  t.false(asksForAbilities(asking(service, "version=1"), PATH));
  t.false(asksForAbilities(asking(service, "version=2:extra"), PATH));
  t.false(asksForAbilities(asking("?service=git-receive-pack", "version=2"), PATH));
  const post = { ...PATH, action: "git-upload-pack" } as const;
  t.false(asksForAbilities(asking(service, "version=2"), post));
});

test("a whole answer is given again, with its headers", async (t) => {
  const headers = { "content-type": "application/x-git-upload-pack-advertisement" };
  const { ask, count } = git(new Response(ANSWER, { headers }));
  const answer = keepAbilities();

  const answers = [await read(answer(ask)), await read(answer(ask)), await read(answer(ask))];

  const expected = [200, headers["content-type"], ANSWER];
  t.deepEqual(answers, [expected, expected, expected]);
  t.is(count(), 1);
});

test("one that failed, was cut off, or says something else is passed on and asked for again", async (t) => {
  const texts = [ANSWER.slice(0, -4), "000eversion 2\n", "", "001e# service=git-upload-pack\n0000"];
  const { ask } = git(
    new Response("no", { status: 500 }),
    ...texts.map((text) => new Response(text)),
    new Response(ANSWER),
  );
  const answer = keepAbilities();

  const seen: unknown[] = [];
  for (let at = 0; at < 7; at++) seen.push((await read(answer(ask)))[2]);

  t.deepEqual(seen, ["no", ...texts, ANSWER, ANSWER]);
});
