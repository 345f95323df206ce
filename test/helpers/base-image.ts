import { execFile } from "node:child_process";
import { access, readdir, readFile, readlink, realpath } from "node:fs/promises";
import { delimiter, dirname, join } from "node:path";
import { Readable } from "node:stream";
import { promisify } from "node:util";
import { type Pack, pack } from "tar-stream";

const run = promisify(execFile);

/** Text by path, without a leading slash. */
export type BaseFiles = Readonly<Record<string, string>>;

/** Of coreutils and its neighbours: what small Dockerfiles use. */
const TOOLS = [
  "sh cat ls cp mv rm ln mkdir touch chmod chown stat wc head tail cut sort seq date sleep id env",
  "expr tr yes dd sha256sum base64 grep sed find uname dirname basename readlink true false nproc",
]
  .join(" ")
  .split(" ");

/** As Alpine's images have them; only the flags that templates use. */
const FILES: BaseFiles = {
  "bin/addgroup": '#!/bin/sh\nfor name; do :; done; echo "$name:x:1000:" >> /etc/group\n',
  "bin/adduser":
    '#!/bin/sh\nfor name; do :; done; echo "$name:x:1000:1000::/:/bin/sh" >> /etc/passwd\n',
  "etc/passwd": "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n",
  "etc/group": "root:x:0:\nnogroup:x:65534:\n",
};

/**
 * The root of a small image, made of programs of this machine and the libraries they load, so that tests need
 * no registry. `node` is the Node that runs the tests; `npm` comes with its packages.
 */
export function packBaseImage(programs: readonly string[] = [], files: BaseFiles = {}): Readable {
  const tar = pack();
  fill(tar, [...TOOLS, ...programs], { ...FILES, ...files }).then(
    () => tar.finalize(),
    (error: unknown) => tar.destroy(error instanceof Error ? error : new Error(String(error))),
  );
  return Readable.from(tar, { objectMode: false });
}

async function fill(tar: Pack, programs: readonly string[], files: BaseFiles): Promise<void> {
  for (const name of ["tmp", "proc", "dev", "sys", "root", "etc", "usr", "bin"])
    tar.entry({ name, type: "directory", mode: name === "tmp" ? 0o1777 : 0o755 });
  tar.entry({ name: "usr/bin", type: "symlink", linkname: "../bin" });
  for (const [name, text] of Object.entries(files)) tar.entry({ name, mode: 0o755 }, text);
  const libraries = new Set<string>();
  for (const program of new Set(programs)) {
    const path = program === "node" ? process.execPath : await find(program);
    if (program === "npm") await addNpm(tar, path);
    else {
      await addFile(tar, path, `bin/${program}`);
      for (const library of await librariesOf(path)) libraries.add(library);
    }
  }
  for (const library of libraries) await addFile(tar, library, library.slice(1));
}

async function find(program: string): Promise<string> {
  for (const folder of (process.env.PATH ?? "").split(delimiter)) {
    const path = join(folder, program);
    if (
      await access(path).then(
        () => true,
        () => false,
      )
    )
      return realpath(path);
  }
  throw new Error(`${program} is not on the PATH of this machine.`);
}

async function librariesOf(path: string): Promise<string[]> {
  const { stdout } = await run("ldd", [path]);
  return [...stdout.matchAll(/(\/\S+) \(0x/g)].map(([, library = ""]) => library);
}

/** `<package>/bin/npm-cli.js` is what `npm` links to. */
async function addNpm(tar: Pack, cli: string): Promise<void> {
  const home = dirname(dirname(cli));
  tar.entry({ name: "bin/npm", type: "symlink", linkname: "../lib/npm/bin/npm-cli.js" });
  for (const entry of await readdir(home, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    const name = `lib/npm/${path.slice(home.length + 1)}`;
    if (entry.isFile()) await addFile(tar, path, name);
    if (entry.isSymbolicLink())
      tar.entry({ name, type: "symlink", linkname: await readlink(path) });
  }
}

async function addFile(tar: Pack, path: string, name: string): Promise<void> {
  tar.entry({ name, mode: 0o755 }, await readFile(path));
}
