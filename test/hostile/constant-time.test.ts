import { glob, readFile } from "node:fs/promises";
import { join } from "node:path";
import test from "ava";

const project = join(import.meta.dirname, "../..");
/** What is made from a key, or is one. */
const SECRET_WORDS = /\b\w*(signature|digest|expected|password|token|secret|mac)\w*\b/i;

/** Files that make or check signatures and passwords. */
async function findFiles() {
  const files: { file: string; text: string }[] = [];
  const rooms = "{sdk,functions,builder,gateway,provider,forge,queue,cli}/**/*.ts";
  for await (const file of glob(rooms, { cwd: project })) {
    if (/\.test\.ts$|\/test/.test(file)) continue;
    const text = await readFile(join(project, file), "utf8");
    if (/\bcreateHmac\(|\btimingSafeEqual\(/.test(text)) files.push({ file, text });
  }
  return files;
}

test("what is made from a key is compared by timingSafeEqual and nothing else", async (t) => {
  const files = await findFiles();

  const compared = files.flatMap(({ file, text }) =>
    text
      .split("\n")
      .filter(
        (line) => /[!=]==/.test(line) && !/\b(null|undefined|length|typeof|"")\b|""/.test(line),
      )
      .filter((line) => SECRET_WORDS.test(line))
      .map((line) => `${file}: ${line.trim()}`),
  );

  t.deepEqual(compared, []);
  t.true(files.some(({ file }) => file === "functions/github-event/identify-source.ts"));
  t.true(files.every(({ text }) => text.includes("timingSafeEqual") || !/\bverify/.test(text)));
});
