import { makeRepository, removeRepository, stackOf } from "../helpers/repository.ts";

/** `broken`: stack.yml is refused. `unhealthy`: one function ends at once, so the other one goes back. */
export type CommitKind = "good" | "broken" | "unhealthy";

export type Pushed = {
  /** `forge:alice/shop` */
  readonly repository: string;
  /** Order of the commit on its branch, from 1. */
  readonly order: number;
  readonly sha: string;
  readonly kind: CommitKind;
  /** What each deployed function answers once this commit is live. */
  readonly answers: Readonly<Record<string, string>>;
  /** Whether Git said that the branch is there. */
  accepted: boolean;
  /** What git printed for the pusher. */
  said: string;
  /** The end that the platform told the pusher, if it did. */
  told: string | undefined;
};

export const FUNCTIONS = ["one", "two"] as const;

/** A repository of an owner, as its developer sees it. */
export type WorkTree = {
  /** `forge:alice/shop` */
  readonly name: string;
  readonly scm: "forge" | "github";
  readonly owner: string;
  readonly hasPackage: boolean;
  readonly pushes: readonly Pushed[];
  /** Commit a change of one function or both, and push it; resolves when git ends. */
  push(kind: CommitKind): Promise<Pushed>;
  /** A good one that changes this function, whatever else. */
  pushChange(service: string): Promise<Pushed>;
  /** Push the newest commit to a branch that is not built. */
  pushAside(): Promise<boolean>;
  remove(): Promise<void>;
};

export type WorkTreeOptions = {
  readonly scm: "forge" | "github";
  readonly owner: string;
  readonly repository: string;
  /** `http://alice:<token>@127.0.0.1:8080/git/alice/` */
  readonly pushUrl: string;
  /** One function has a package of its own, so that npm runs when it is built. */
  readonly hasPackage: boolean;
};

/** Each repository's functions have names of their own: one owner's names are one space. */
export async function makeWorkTree(options: WorkTreeOptions): Promise<WorkTree> {
  const { scm, owner, repository, pushUrl, hasPackage } = options;
  const tree = await makeRepository();
  const name = `${scm}:${owner}/${repository}`;
  const url = `${pushUrl.replace(/\/$/, "")}/${repository}.git`;
  const pushes: Pushed[] = [];
  const keys = FUNCTIONS.map((one) => `${repository}-${one}`);
  let answers: Readonly<Record<string, string>> = {};
  let turn: Promise<unknown> = Promise.resolve();

  return {
    name,
    scm,
    owner,
    hasPackage,
    pushes,
    push: (kind) => send(() => commit(kind)),
    pushChange: (service) => send(() => commit("good", service)),
    async pushAside() {
      const sha = await inTurn(async () => {
        const aside = await tree.commit({}, "aside");
        await tree.git("reset", "--quiet", "--hard", "HEAD~1");
        return aside;
      });
      return (await tree.push(url, `+${sha}:refs/heads/aside`)).ok;
    },
    remove: () => removeRepository(tree),
  };

  async function send(commit: () => Promise<Pushed>): Promise<Pushed> {
    const pushed = await inTurn(commit);
    const { ok, output } = await tree.push(url, `${pushed.sha}:refs/heads/main`);
    pushed.accepted = ok;
    pushed.said = output;
    // GitHub tells a pusher nothing of what others make of the push.
    if (scm === "forge") pushed.told = readEnd(output);
    return pushed;
  }

  async function commit(kind: CommitKind, service = ""): Promise<Pushed> {
    const order = pushes.length + 1;
    // Every third changes one function alone.
    const changed = order % 3 === 0 && service === "" ? keys.slice(0, 1) : keys;
    answers = {
      ...answers,
      ...Object.fromEntries(changed.map((key) => [`${owner}-${key}`, `${name}#${order}`])),
    };
    const sha = await tree.commit(filesOf(kind), `${kind} ${order}`);
    const pushed = {
      repository: name,
      order,
      sha,
      kind,
      answers,
      accepted: false,
      said: "",
      told: undefined,
    };
    pushes.push(pushed);
    return pushed;
  }

  /** One commit of a work tree after the other; pushes may overlap. */
  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    const next = turn.then(work);
    turn = next.catch(() => undefined);
    return next;
  }

  function filesOf(kind: CommitKind): Record<string, string> {
    const [one = "", two = ""] = keys;
    const stack = stackOf({ [one]: { lang: "bash" }, [two]: { lang: "node24" } });
    const answer = (key: string) => answers[`${owner}-${key}`] ?? "";
    return {
      "stack.yml": kind === "broken" ? stack.replace("lang: bash", "lang: no-such") : stack,
      [`${one}/handler.sh`]: `#!/bin/bash\necho "${answer(one)}"\n`,
      [`${two}/handler.js`]:
        kind === "unhealthy"
          ? `throw new Error("not today ${answer(two)}");\n`
          : `module.exports = async (event, context) => {
  if (event.path === "/crash") process.exit(7);
  return context.succeed("${answer(two)}");
};\n`,
      ...(hasPackage && {
        [`${two}/package.json`]: JSON.stringify({ dependencies: { tea: "file:tea" } }),
        [`${two}/tea/package.json`]: JSON.stringify({ name: "tea", version: "1.0.0" }),
      }),
    };
  }
}

/** The last line of progress: `remote: live in 0.41 s`, `remote: superseded by 1f2e3d4; …` */
function readEnd(output: string): string | undefined {
  const [, word, told] =
    /^remote: (?:(live|failed) (?:in|after) \d|(superseded|cancelled)\b)/m.exec(output) ?? [];
  return word ?? told;
}
