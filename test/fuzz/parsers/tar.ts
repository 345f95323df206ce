import { lstat, mkdir, mkdtemp, readdir, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { HttpError } from "#sdk/errors.ts";
import { DEFAULT_SETTINGS } from "../../../builder/settings.ts";
import { unpackContext } from "../../../builder/unpack-context.ts";
import { makeTar } from "../make-tar.ts";
import { type Parser, promise } from "../parser.ts";

const SETTINGS = {
  ...DEFAULT_SETTINGS,
  maxEntries: 40,
  maxFileBytes: 20_000,
  maxContextBytes: 60_000,
  maxPathBytes: 300,
};

/** A build context as the builder receives it, described as make-tar.ts reads it, unpacked to a real folder. */
export const tar: Parser = {
  dictionary: [
    '0|com.openfaas.docker.config|600|||{"v":1,"image":"a"}\n',
    ..."\n0¦|\n5¦|\n2¦|\n1¦|\n3¦|\n6¦|\nx¦|\ng¦|\nL¦|\nK¦|\nS¦|¦|context/|context|a|b|a/b|../|/etc/passwd|./|//|..|\\0|\\n|\\xff|777|4755|-1|77777777777|0000000000|\\x80\\x00\\x00\\x00\\x00\\x00\\x00\\x01"
      .split("|")
      .map((piece) => piece.replaceAll("¦", "|")),
    ..."11 path=a\\n|19 path=../../evil\\n|17 linkpath=/etc\\n|20 size=99999999999\\n|30 GNU.sparse.name=x\\n|\n@257=ustar|\n@124=|\n!cut=|\n!raw=".split(
      "|",
    ),
  ],
  async read(input) {
    const folder = await mkdtemp(join(tmpdir(), "fuzz-tar-"));
    try {
      return await unpackIn(folder, makeTar(input));
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  },
};

async function unpackIn(folder: string, bytes: Buffer): Promise<string> {
  await writeFile(join(folder, "canary"), "untouched");
  const target = join(folder, "work");
  const { signal } = new AbortController();
  try {
    await mkdir(join(folder, "beside"));
    const config = await unpackContext(Readable.from([bytes]), target, SETTINGS, signal);
    promise(config.image !== "", "a context names its image");
    await checkPlaces(folder, target);
    return "unpacked";
  } catch (error) {
    if (!(error instanceof HttpError) || error.status >= 500) throw error;
    await checkPlaces(folder, target);
    return `${error.status} ${error.code}`;
  }
}

/** Nothing was written beside the target, and no link in a whole context leads out of it. */
async function checkPlaces(folder: string, target: string): Promise<void> {
  const beside = (await readdir(folder)).sort();
  promise(
    beside.every((name) => ["beside", "canary", "work"].includes(name)),
    `nothing is written outside: ${beside}`,
  );
  promise((await readdir(join(folder, "beside"))).length === 0, "nor in another folder");
  const inside = await realpath(target).catch(() => undefined);
  if (inside === undefined) return;
  for (const name of await readdir(target, { recursive: true })) {
    const entry = await lstat(join(target, name));
    promise(
      entry.isFile() || entry.isDirectory() || entry.isSymbolicLink(),
      `${name} is a file, a folder or a link`,
    );
    promise((entry.mode & 0o7000) === 0, `${name} has no special mode`);
    promise(entry.nlink === 1 || entry.isDirectory(), `${name} is no hard link`);
  }
}
