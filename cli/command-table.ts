import { InvalidArgumentError, Option } from "commander";
import type { CommandContext } from "./context.ts";

type CommandRun = (context: CommandContext) => Promise<void>;

export type CommandEntry = {
  /** Name and arguments as commander reads them: `token <owner>`. */
  readonly usage: string;
  /** One line of `ofc help`. */
  readonly summary: string;
  /** What `ofc help <command>` says beyond the summary. */
  readonly more?: string;
  readonly options: readonly Option[];
  /** What follows `./ofc `, and what it does. */
  readonly examples: readonly (readonly [string, string])[];
  /** The code is loaded when the command runs, so that the others start fast. */
  readonly load: () => Promise<CommandRun>;
};

const port = new Option("--port <number>", "port of the gateway, 0 for any free one")
  .default(8080)
  .argParser(parsePort);
const engine = new Option("--engine <kind>", "where functions run; auto is Docker where it answers")
  .choices(["auto", "process", "docker"])
  .default("auto");
const json = new Option("--json", "print JSON, for programs");
const limit = new Option("--limit <number>", "show at most this many, newest first")
  .default(20)
  .argParser(parseCount);

/** Every command, in the order of `ofc help`. */
export const COMMANDS: readonly CommandEntry[] = [
  {
    usage: "up",
    summary: "run the platform in the foreground until Ctrl-C",
    options: [port, engine],
    examples: [
      ["up", "on port 8080, data in .ofc beside the launcher"],
      ["up --port 9000 --data ~/cloud", "another port, another data folder"],
    ],
    load: async () => (await import("./commands/up.ts")).up,
  },
  {
    usage: "demo",
    summary: "run the platform, push examples/shop through it, call its functions",
    options: [port, engine],
    examples: [["demo", "stays up until Ctrl-C, as up does"]],
    load: async () => (await import("./commands/demo.ts")).demo,
  },
  {
    usage: "token <owner>",
    summary: "print a URL that the owner can push to",
    more: "The URL holds a new token, shown this once; earlier tokens stay valid.",
    options: [json],
    examples: [
      ["token alice", "http://alice:<token>@127.0.0.1:8080/git/alice"],
      ["token alice --json", "owner, token and URL apart"],
    ],
    load: async () => (await import("./commands/token.ts")).token,
  },
  {
    usage: "remote <repository>",
    summary: "make <owner>/<name> a Git remote of the repository in this folder",
    more: "The token goes to a credential helper that only this repository uses, never into the URL.",
    options: [new Option("--name <remote>", "name of the remote").default("ofc")],
    examples: [["remote alice/shop", "then: git push ofc HEAD:main"]],
    load: async () => (await import("./commands/remote.ts")).remote,
  },
  {
    usage: "status [owner]",
    summary: "functions that serve, and the newest builds",
    options: [json],
    examples: [
      ["status", "of every owner"],
      ["status alice", "of one owner"],
    ],
    load: async () => (await import("./commands/status.ts")).status,
  },
  {
    usage: "builds [owner]",
    summary: "builds, newest first, or one of them step by step",
    options: [limit, new Option("--id <build>", "one build, step by step"), json],
    examples: [
      ["builds alice --limit 5", "the newest five of one owner"],
      ["builds --id <build>", "what happened to one, with its reason"],
    ],
    load: async () => (await import("./commands/builds.ts")).builds,
  },
  {
    usage: "logs <function>",
    summary: "what a function printed",
    options: [new Option("-f, --follow", "go on as it prints, until Ctrl-C"), json],
    examples: [
      ["logs alice-cart", "the name is <owner>-<function>, as ./ofc status lists it"],
      ["logs alice-cart --follow", "and what it prints from now on"],
    ],
    load: async () => (await import("./commands/logs.ts")).logs,
  },
  {
    usage: "cancel <build>",
    summary: "stop a build that is not yet deploying",
    options: [json],
    examples: [["cancel <build>", "./ofc builds lists their ids"]],
    load: async () => (await import("./commands/change.ts")).cancel,
  },
  {
    usage: "redeploy <target>",
    summary: "deploy the newest build again: of a function, of <owner>/<repository>, or by id",
    options: [json],
    examples: [
      ["redeploy alice-cart", "the repository this function came from"],
      ["redeploy alice/shop", "the same by the repository's name"],
    ],
    load: async () => (await import("./commands/change.ts")).redeploy,
  },
  {
    usage: "versions <function>",
    summary: "list what a function serves and can go back to, each with its address",
    options: [json],
    examples: [["versions alice-cart", "newest first; the last five are kept"]],
    load: async () => (await import("./commands/versions.ts")).versions,
  },
  {
    usage: "rollback <function> [sha]",
    summary: "put back the version before, or the one of a commit",
    more: "Image, environment and limits change in one switch; secrets stay current unless --with-secrets. A push that changes the function ends it; an update of a secret brings its value of now.",
    options: [
      new Option("--with-secrets", "with the values that its secrets had when that version served"),
      json,
    ],
    examples: [
      ["rollback alice-cart", "the version before"],
      ["rollback alice-cart 1a2b3c4 --with-secrets", "of that commit, with its secrets of then"],
    ],
    load: async () => (await import("./commands/change.ts")).rollback,
  },
  {
    usage: "forget <secret>",
    summary: "forget the earlier values of a secret, which roll-backs could bring back",
    more: "For one that leaked: update it, then forget what it was. Its value of now stays, and functions that serve with an earlier one get it at once.",
    options: [json],
    examples: [["forget alice-db", "the name is <owner>-<secret>, as in GET /system/secrets"]],
    load: async () => (await import("./commands/change.ts")).forget,
  },
  {
    usage: "remove <target>",
    summary: "stop and forget a function, or all of <owner>/<repository>",
    more: "The commits stay; the next push deploys again. <function>--<sha> is one version that does not serve: it loses its address, and cannot be rolled back to.",
    options: [json],
    examples: [
      ["remove alice-cart", "one function"],
      ["remove alice/shop", "every function of a repository"],
    ],
    load: async () => (await import("./commands/change.ts")).remove,
  },
  {
    usage: "queue",
    summary: "calls that wait, run, or were given up",
    options: [new Option("--retry <call>", "give a dead letter all its attempts again"), json],
    examples: [
      ["queue", "each call with its attempts and last error"],
      ["queue --retry <call>", "once the cause is gone"],
    ],
    load: async () => (await import("./commands/queue.ts")).queue,
  },
  {
    usage: "deliveries",
    summary: "webhook deliveries, each with its decision and reason",
    options: [limit, json],
    examples: [["deliveries --limit 5", "why the last push was or was not built"]],
    load: async () => (await import("./commands/deliveries.ts")).deliveries,
  },
  {
    usage: "doctor",
    summary: "push a canary function through the whole road and say which step fails",
    options: [json],
    examples: [["doctor", "exit code 1 when one does"]],
    load: async () => (await import("./commands/doctor.ts")).doctor,
  },
  {
    usage: "bases",
    summary: "what the names of base images stand for, as pushes build on them",
    more: "A name is asked for once and holds until base_image_refresh has passed; Docker engine only.",
    options: [new Option("--refresh", "ask for all of them anew at the next push"), json],
    examples: [
      ["bases", "each name with its digest"],
      ["bases --refresh", "after an image was moved or loaded; then push, or ./ofc redeploy"],
    ],
    load: async () => (await import("./commands/bases.ts")).bases,
  },
  {
    usage: "config",
    summary: "every setting in force, where it came from, its unit and default; no secrets",
    options: [json],
    examples: [["config", "change them in gateway_config.yml, github.yml or the environment"]],
    load: async () => (await import("./commands/config.ts")).config,
  },
  {
    usage: "backup <file>",
    summary: "copy what cannot be made again into one file, also while the platform runs",
    more: "A tar compressed with zstd; it holds secrets and is readable by you alone. An existing file is never replaced.",
    options: [json],
    examples: [
      ["backup ofc-monday.tar.zst", "docs/operate.md says what is in it"],
      ["backup /backups/ofc.tar.zst --data /var/lib/ofc/data", "of another data folder"],
    ],
    load: async () => (await import("./commands/backup.ts")).backup,
  },
  {
    usage: "restore <file>",
    summary: "make the data folder from a backup; it must be empty or absent",
    more: "Every entry is compared with the manifest before anything is in place; a backup of a newer release is refused.",
    options: [json],
    examples: [["restore ofc-monday.tar.zst --data ~/cloud", "then: ./ofc up --data ~/cloud"]],
    load: async () => (await import("./commands/backup.ts")).restore,
  },
  {
    usage: "test [files...]",
    summary: "run the tests; installs what they need first",
    options: [],
    examples: [
      ["test", "all of them"],
      ["test 'queue/**/*.test.ts'", "one room's"],
    ],
    load: async () => (await import("./commands/test.ts")).test,
  },
];

function parsePort(text: string): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value <= 65_535) return value;
  throw new InvalidArgumentError("Expected a number from 0 (any free port) to 65535.");
}

function parseCount(text: string): number {
  const count = Number(text);
  if (/^\d+$/.test(text) && count >= 1 && count <= 1_000) return count;
  throw new InvalidArgumentError("Expected a whole number from 1 to 1000.");
}
