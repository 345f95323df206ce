import test from "ava";
import { readCorpus } from "./corpus.ts";
import { judge } from "./judge.ts";
import { PARSERS } from "./parsers.ts";

const LIMIT_BYTES = 1024 * 1024;

// One after another: the time of a thread is measured.
for (const [name, load] of Object.entries(PARSERS)) {
  test.serial(
    `every kept input of ${name} is read or refused, soon and in little memory`,
    async (t) => {
      t.timeout(10 * 60_000);
      const parser = await load();
      const corpus = await readCorpus(name);

      const findings: string[] = [];
      for (const { name: file, input } of corpus) {
        const verdict = await judge(parser, input);
        if (verdict.kind === "finding") findings.push(`${file}: ${verdict.why}`);
      }

      t.true(corpus.length > 0);
      t.deepEqual(findings, []);
    },
  );
}

test.serial("the corpus stays small", async (t) => {
  const corpora = await Promise.all(Object.keys(PARSERS).map(readCorpus));

  const bytes = corpora.flat().reduce((sum, { input }) => sum + input.length, 0);

  t.true(bytes < LIMIT_BYTES, `${bytes} bytes`);
});
