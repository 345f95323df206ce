import { execFileSync } from "node:child_process";
import {
  access,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  symlink,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { type RunningPlatform, removeData, startPlatform } from "../helpers/platform.ts";
import { call, cartOf, openRepository, STRANGERS } from "./set-up.ts";

/** Whatever is run that should not be makes this file. */
let canary: string;
let platform: RunningPlatform;

/** A platform whose user's git is configured to run programs at every chance. */
test.before(async () => {
  const home = await mkdtemp(join(tmpdir(), "ofc-home-"));
  canary = join(home, "canary");
  const run = `touch ${canary}`;
  await writeFile(
    join(home, ".gitconfig"),
    `[core]
  fsmonitor = ${run}
  sshCommand = ${run}
  pager = ${run}
  hooksPath = ${home}/hooks
  attributesFile = ${home}/attributes
[filter "evil"]
  smudge = ${run}
  clean = ${run}
  process = ${run}
[credential]
  helper = !${run}
[uploadpack]
  packObjectsHook = ${run}
[init]
  templateDir = ${home}/template
`,
  );
  await writeFile(join(home, "attributes"), "* filter=evil\n");
  for (const hook of ["hooks/post-checkout", "hooks/post-receive", "template/hooks/post-receive"]) {
    await mkdir(join(home, dirname(hook)), { recursive: true });
    await writeFile(join(home, hook), `#!/bin/sh\n${run}\n`, { mode: 0o755 });
  }
  const env = {
    ...STRANGERS,
    HOME: home,
    XDG_CONFIG_HOME: home,
    GIT_CONFIG_COUNT: "1",
    GIT_CONFIG_KEY_0: "core.fsmonitor",
    GIT_CONFIG_VALUE_0: run,
    GIT_SSH_COMMAND: run,
    GIT_ASKPASS: canary,
    GIT_TEMPLATE_DIR: join(home, "template"),
  };
  platform = await startPlatform({ env });
});

test.after.always(async () => {
  await platform.stop();
  await removeData(platform.dataFolder);
  await rm(dirname(canary), { recursive: true, force: true });
});

test.afterEach(async (t) => {
  await t.throwsAsync(access(canary), { code: "ENOENT" }, "nothing was run");
});

const open = (t: ExecutionContext, owner: string, name?: string) =>
  openRepository(t, platform, owner, cartOf("one"), name);

const BRANCHES = [
  `$(touch\${IFS}canary)\`id\`;id|id&id#>x'"`,
  "ma\u0456n",
  `${"a".repeat(120)}/${"b".repeat(120)}`,
];

for (const branch of BRANCHES) {
  test.serial(
    `a branch called ${branch.slice(0, 40)} is built like any other, and is never an option or a command`,
    async (t) => {
      const owner = `branch-${BRANCHES.indexOf(branch)}`;
      const { repository, url } = await open(t, owner);

      const pushed = await repository.push(url, `HEAD:refs/heads/${branch}`);

      t.regex(pushed.output, /live in /);
      t.is(await call(platform, `${owner}-cart`), "one");
    },
  );
}

test.serial("a branch whose name is an option is kept, and refused to be built", async (t) => {
  const { repository, url } = await open(t, "option");

  const pushed = await repository.push(url, "HEAD:refs/heads/--upload-pack=id");

  t.regex(pushed.output, /refused: .*default_branch: is not a name git accepts/);
});

type Hostile = {
  /** Where the pusher reads why. */
  readonly said: RegExp;
  /** Make the work tree hostile; a text that is returned is a further entry of the index. */
  readonly make: (folder: string) => Promise<unknown>;
};

const stackYml = cartOf("x")["stack.yml"] ?? "";

const TREES: Readonly<Record<string, Hostile>> = {
  "a link to a file of the host": {
    make: (folder) => symlink("/etc/passwd", join(folder, "cart/passwd")),
    said: /the link "function\/passwd" -> "\/etc\/passwd" leaves the function's folder/,
  },
  "a link to the platform's secrets": {
    make: (folder) => symlink(`../../../secrets/payload-secret`, join(folder, "cart/secret")),
    said: /the link "function\/secret" -> .* leaves the function's folder/,
  },
  "a handler that is a link": {
    async make(folder) {
      await symlink("/etc", join(folder, "etc"));
      await writeFile(join(folder, "stack.yml"), stackYml.replace("./cart", "./etc"));
    },
    said: /functions\.cart\.handler is "etc"; it is a link; it must be a folder/,
  },
  "a stack.yml that is a link": {
    async make(folder) {
      await rm(join(folder, "stack.yml"));
      await symlink("/etc/passwd", join(folder, "stack.yml"));
    },
    said: /it is a link; it must be a file/,
  },
  "a submodule in the handler": {
    async make(folder) {
      await writeFile(
        join(folder, ".gitmodules"),
        '[submodule "x"]\n\tpath = cart/x\n\turl = file:///etc\n',
      );
      return `160000,${"1".repeat(40)},cart/x`;
    },
    said: /"cart\/x" is a submodule; submodules are not fetched/,
  },
  "a submodule whose address is an option": {
    async make(folder) {
      await writeFile(
        join(folder, ".gitmodules"),
        '[submodule "x"]\n\tpath = x\n\turl = --upload-pack=id\n',
      );
      return `160000,${"1".repeat(40)},x`;
    },
    said: /gitmodulesUrl|disallowed submodule url/,
  },
  "a submodule whose path climbs": {
    async make(folder) {
      await writeFile(
        join(folder, ".gitmodules"),
        '[submodule "../../x"]\n\tpath = x\n\turl = https://example.com/x\n',
      );
      return `160000,${"1".repeat(40)},x`;
    },
    said: /gitmodulesName|disallowed submodule name/,
  },
  "a file name with a line break": {
    make: (folder) => writeFile(join(folder, "cart/a\nb"), "x"),
    said: /"cart\/a\\nb" has a name that is not plain UTF-8; rename it/,
  },
  "a path of 1,500 bytes": {
    async make(folder) {
      const path = join(folder, "cart", `${"d".repeat(200)}/`.repeat(7), "f".repeat(100));
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, "x");
    },
    said: /has a path over 1024 bytes/,
  },
};

for (const [what, { make, said }] of Object.entries(TREES)) {
  test.serial(`${what} is refused with its name, and what served goes on`, async (t) => {
    const owner = `tree-${Object.keys(TREES).indexOf(what)}`;
    const { repository, url } = await open(t, owner);
    await repository.push(url);
    const entry = await make(repository.folder);
    await repository.git("add", "--all");
    if (typeof entry === "string")
      await repository.git("update-index", "--add", "--cacheinfo", entry);
    await commitIndex(repository.folder);

    const pushed = await repository.push(url);

    t.regex(pushed.output, said);
    t.notRegex(pushed.output, /root:x:0/);
    t.is(await call(platform, `${owner}-cart`), "one");
  });
}

test.serial(
  "what only other tools act on is carried along: attributes, hooks, LFS pointers, a submodule beside the handler, names that differ by case",
  async (t) => {
    const { repository, url } = await open(t, "carried");
    const files = {
      ".gitattributes": "* filter=evil text eol=crlf ident export-subst diff=evil merge=evil\n",
      "cart/.gitattributes": "*.bin filter=lfs diff=lfs merge=lfs\n",
      "cart/model.bin": `version https://git-lfs.github.com/spec/v1\noid sha256:${"0".repeat(64)}\nsize 9\n`,
      "cart/README": "a",
      "cart/readme": "b",
      ".githooks/post-checkout": `#!/bin/sh\ntouch ${canary}\n`,
      ".lfsconfig": "[lfs]\n\turl = ext::sh -c id\n",
      ".gitmodules": '[submodule "x"]\n\tpath = x\n\turl = https://example.com/x\n',
      "cart/handler.sh": "#!/bin/bash\ncat function/README function/readme; ls -A . function\n",
    };
    await repository.commit(files);
    await repository.git("update-index", "--add", "--cacheinfo", `160000,${"1".repeat(40)},x`);
    await commitIndex(repository.folder);

    const pushed = await repository.push(url);

    t.regex(pushed.output, /live in /);
    const answer = await call(platform, "carried-cart");
    t.regex(answer, /^ab/);
    t.false(answer.split("\n").includes(".git"));
  },
);

test.serial(
  "pkt-lines that no git sends are answered or broken off, and leave the forge as it was",
  async (t) => {
    const { repository, url, token } = await open(t, "pkt");
    await repository.push(url);
    const zero = "0".repeat(40);
    const pkt = (text: string) => `${(text.length + 4).toString(16).padStart(4, "0")}${text}`;
    const ref = (name: string) => pkt(`${zero} ${"1".repeat(40)} ${name}\0report-status\n`);
    const bodies = [
      "",
      "0000",
      "0001",
      "0003",
      "fffg",
      "ffff",
      "-001",
      "0005",
      pkt("x".repeat(60_000)),
      `${ref("refs/heads/../../x")}0000`,
      `${ref("refs/heads/x;id")}0000PACK`,
      `${ref("--upload-pack=id")}0000`,
      `${ref("HEAD")}0000PACK\0\0\0\u0002\u007f\u007f\u007f\u007f`,
      `${pkt(`push-cert\0a\n`)}0000`,
    ];

    const statuses: number[] = [];
    for (const service of ["git-receive-pack", "git-upload-pack"])
      for (const body of bodies) {
        const response = await fetch(`${bare(url)}/${service}`, {
          method: "POST",
          headers: {
            authorization: `Basic ${Buffer.from(`pkt:${token}`).toString("base64")}`,
            "content-type": `application/x-${service}-request`,
          },
          body: Buffer.from(body, "latin1"),
        });
        // Where git gave up in the middle of a push, its answer is none that looks whole.
        await response.arrayBuffer().catch(({ message }) => t.is(message, "terminated"));
        statuses.push(response.status);
      }

    t.true(
      statuses.every((status) => status === 200 || (status >= 400 && status < 500)),
      statuses.join(" "),
    );
    t.deepEqual(
      execFileSync("git", ["ls-remote", url], { encoding: "utf8" })
        .split("\n")
        .map((line) => line.split("\t")[1]),
      ["HEAD", "refs/heads/main", undefined],
    );
    t.regex((await repository.push(url, "HEAD:refs/heads/next")).output, /refs\/heads\/next|next/);
  },
);

test.serial(
  "no secret of the platform stands in its data, its log or a command line",
  async (t) => {
    const { repository, url, token } = await open(t, "canary");
    await repository.push(url);
    const folder = join(platform.dataFolder, "secrets");
    const names = (await readdir(folder)).filter((name) => /secret|password/.test(name));
    const secrets = await Promise.all(
      names.map(async (name) => (await readFile(join(folder, name), "utf8")).trim()),
    );
    secrets.push(token);
    t.true(secrets.length > 3);

    const lines = execFileSync("ps", ["-eo", "args"], { encoding: "utf8", maxBuffer: 2 ** 26 });
    const log = JSON.stringify(platform.log) + platform.words.join("\n");
    const found: string[] = [];
    for (const secret of secrets) {
      if (lines.includes(secret) || log.includes(secret)) found.push("a line");
      found.push(...filesWith(secret, platform.dataFolder));
    }

    t.deepEqual(found, []);
  },
);

/** Commit what the index holds. */
async function commitIndex(folder: string): Promise<void> {
  const author = ["-c", "user.name=Test", "-c", "user.email=test@localhost"];
  const args = [...author, "commit", "--quiet", "--message", "hostile"];
  execFileSync("git", args, { cwd: folder });
}

/** The push URL without user and token. */
function bare(url: string): string {
  const { origin, pathname } = new URL(url);
  return `${origin}${pathname}`;
}

/** Files below the data folder that hold the text, those that are secrets apart. */
function filesWith(text: string, folder: string): string[] {
  try {
    const args = ["-rlaF", "--exclude-dir=secrets", "--", text, folder];
    return execFileSync("grep", args, { encoding: "utf8" }).trim().split("\n");
  } catch {
    // grep ends with 1 when it finds nothing.
    return [];
  }
}
