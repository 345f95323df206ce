import { HttpError } from "#sdk/errors.ts";
import { silentLog } from "#sdk/log.ts";
import { parsePushEvent } from "#sdk/push-event.ts";
import { parseGitPath } from "../../../forge/git/parse-git-path.ts";
import { readBasic } from "../../../forge/git/read-credentials.ts";
import { expressionsOf } from "../../../forge/git/read-objects.ts";
import { isRefName } from "../../../forge/git/read-refs.ts";
import { refuseRepositoryName } from "../../../forge/store/names.ts";
import { toFetchError } from "../../../functions/git-tar/fetch-error.ts";
import { MIRROR_LIMITS, openMirror } from "../../../functions/git-tar/mirror.ts";
import { refuseLeavingLink } from "../../../functions/git-tar/refuse-leaving-link.ts";
import { StackError } from "../../../functions/git-tar/stack-error.ts";
import { orRefusal, type Parser, promise, toText } from "../parser.ts";

const ORIGINS = ["https://github.com", "http://127.0.0.1:8080"];

/** One name as Git fields carry it: ref, path of the forge, clone URL, link, credential, or git's complaint. */
export const git: Parser = {
  dictionary: [
    ..."refs/heads/|refs/tags/|heads/|main|HEAD|@|@{|@{-1}|..|.lock|.|/|//|-|--upload-pack=|--|~1|^|:|?|*|[|\\".split(
      "|",
    ),
    ..."/git/|/info/refs|/git-upload-pack|/git-receive-pack|a|b|.git|%2e%2e|%00|%ff|%".split("|"),
    ..."https://github.com/|http://127.0.0.1:8080/|ext::|file:///|ssh://-oProxyCommand=|git@|user:p@|?x|#x|.evil".split(
      "|",
    ),
    "Basic ",
    "YWxpY2U6dG9rZW4=",
    "fatal: ",
    "not our ref",
    "No space left",
    "fsck error",
    "\n",
    "\r",
    "\u0000",
    "\u007f",
    "é",
    "ⅼ",
    "\u202e",
    "0".repeat(40),
    "abcdef0",
  ],
  read(input) {
    const text = toText(input);
    return [readRef(text), readPath(text), readUrl(text), readLink(text), readComplaint(text)].join(
      " ",
    );
  },
};

function readRef(text: string): string {
  const forge = isRefName(text);
  const wire = orRefusal(
    () => parsePushEvent(pushOf(text)).kind,
    (error) => (error instanceof HttpError && error.status === 400 ? "" : undefined),
  );
  if (forge || wire !== "refused: ") {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what git refuses
    promise(!/[\x00-\x20\x7f~^:?*[\\]|\.\.|^-/.test(text), `git takes "${text}"`);
  }
  for (const expression of expressionsOf(text))
    promise(
      // biome-ignore lint/suspicious/noControlCharactersInRegex: these would be another question
      !/^-|[\x00-\x20\x7f]/.test(expression),
      `"${expression}" is no option`,
    );
  return `${forge ? "ref" : ""} ${wire}`;
}

/** A push of this ref. */
function pushOf(ref: string): string {
  return JSON.stringify({
    ref,
    after: "a".repeat(40),
    repository: {
      id: 1,
      name: "shop",
      full_name: "alice/shop",
      private: false,
      clone_url: "https://github.com/alice/shop.git",
      url: "https://github.com/alice/shop",
      default_branch: "main",
      owner: { id: 1, login: "alice" },
    },
  });
}

function readPath(text: string): string {
  readBasic(text);
  const path = parseGitPath(text);
  if (path === undefined) return "";
  if (refuseRepositoryName(path.name) !== undefined) return "bad name";
  promise(!/[/\0]|^\.\.?$/.test(path.name), `"${path.name}" is one name`);
  return path.action;
}

function readUrl(cloneUrl: string): string {
  const open = () => {
    openMirror({
      folder: "/nonexistent",
      cloneUrl,
      origins: ORIGINS,
      credential: async () => undefined,
      environment: {},
      limits: MIRROR_LIMITS,
      log: silentLog,
    });
    promise(
      ORIGINS.some((origin) => cloneUrl.startsWith(`${origin}/`)),
      `"${cloneUrl}" is at a source`,
    );
    promise(!/[@?#\s]/.test(new URL(cloneUrl).pathname.replaceAll("@", "")), "and plain");
    return "url";
  };
  return orRefusal(open, (error) => (error instanceof HttpError ? "" : undefined));
}

function readLink(text: string): string {
  const links = new Map([
    ["a/link", text],
    ["up", ".."],
    ["a/up", "../up"],
    ["loop", "a/loop"],
    ["a/loop", "../loop"],
  ]);
  const read = () => {
    refuseLeavingLink("a/link", links);
    // `..x` is a name like any other.
    promise(!/^(\/|\.\.\/\.\.(\/|$))/.test(text), `"${text}" stays inside`);
    return "link";
  };
  return orRefusal(read, (error) => (error instanceof StackError ? "" : undefined));
}

function readComplaint(text: string): string {
  const error = toFetchError(text, "a".repeat(40), "s3cret-canary");
  promise(!String(error.cause).includes("s3cret-canary"), "the credential is masked");
  return error.failure;
}
