import { z } from "zod";
import { HttpError } from "#sdk/errors.ts";

/** What the pipeline reads of a `push` delivery (docs.github.com, "Webhook events and payloads"). */
export type PushEvent = {
  /** Full: `refs/heads/main`, `refs/tags/v1`. */
  readonly ref: string;
  /** The branch or tag, without `refs/heads/` or `refs/tags/`; the ref itself when it is neither. */
  readonly name: string;
  readonly kind: "branch" | "tag" | "other";
  /** Commit after the push: 40 or 64 lower-case hex digits, all zeros when the ref was deleted. */
  readonly sha: string;
  readonly deleted: boolean;
  readonly owner: { readonly id: number; readonly login: string };
  readonly repository: {
    readonly id: number;
    readonly name: string;
    readonly fullName: string;
    /** http(s), without user or password. */
    readonly cloneUrl: string;
    /** Web page. */
    readonly url: string;
    readonly private: boolean;
    readonly defaultBranch: string;
  };
  /** 0 when the delivery comes from a plain repository webhook. */
  readonly installationId: number;
};

const id = z.number().int().min(1).max(Number.MAX_SAFE_INTEGER);
const login = z.string().regex(/^[a-zA-Z0-9](?:[\w.-]{0,98}[a-zA-Z0-9])?$/, "is not a login");
const repositoryName = z.string().regex(/^(?!\.{1,2}$)[\w.-]{1,100}$/, "is not a repository name");
const refName = z.string().min(1).max(1_024).refine(isRefName, "is not a name git accepts");
const webUrl = z
  .string()
  .max(2_048)
  .refine(isPlainUrl, "is not an http(s) URL without credentials");

const wire = z.object({
  ref: refName,
  after: z.string().regex(/^(?:[0-9a-f]{40}|[0-9a-f]{64})$/, "is not 40 or 64 hex digits"),
  deleted: z.boolean().default(false),
  repository: z.object({
    id,
    name: repositoryName,
    full_name: z.string().regex(/^[\w.-]{1,100}\/[\w.-]{1,100}$/, "is not owner/name"),
    private: z.boolean(),
    clone_url: webUrl,
    url: webUrl,
    html_url: webUrl.optional(),
    default_branch: refName,
    owner: z.object({ id, login }),
  }),
  installation: z.object({ id }).nullish(),
});

/** Parse the JSON of a push delivery; 400 names every field that does not hold what GitHub sends. */
export function parsePushEvent(body: Uint8Array | string): PushEvent {
  const parsed = wire.safeParse(parseJson(body));
  if (!parsed.success) throw unreadable("push", parsed.error);
  const { ref, after, deleted, repository, installation } = parsed.data;
  const { owner } = repository;

  return {
    ref,
    ...splitRef(ref),
    sha: after,
    deleted: deleted || /^0+$/.test(after),
    owner,
    repository: {
      id: repository.id,
      name: repository.name,
      fullName: repository.full_name,
      cloneUrl: repository.clone_url,
      url: repository.html_url ?? repository.url,
      private: repository.private,
      defaultBranch: repository.default_branch,
    },
    installationId: installation?.id ?? 0,
  };
}

/** A push in the wire's own shape, with only what `parsePushEvent` reads: small enough for any hop. */
export function formatPushEvent(push: PushEvent): string {
  const { repository, installationId } = push;
  return JSON.stringify({
    ref: push.ref,
    after: push.sha,
    deleted: push.deleted,
    repository: {
      id: repository.id,
      name: repository.name,
      full_name: repository.fullName,
      private: repository.private,
      clone_url: repository.cloneUrl,
      url: repository.url,
      default_branch: repository.defaultBranch,
      owner: push.owner,
    },
    ...(installationId === 0 ? {} : { installation: { id: installationId } }),
  } satisfies z.input<typeof wire>);
}

/** UTF-8 JSON of a delivery as plain data; 400 when it is not. */
export function parseJson(body: Uint8Array | string): unknown {
  try {
    return JSON.parse(typeof body === "string" ? body : strictUtf8.decode(body));
  } catch (error) {
    throw new HttpError(400, "bad-body", "The body is not JSON in UTF-8.", { cause: error });
  }
}

/** 400 that says which fields of an event are wrong and how, at most five of them. */
export function unreadable(event: string, { issues }: z.ZodError): HttpError {
  const fields = issues
    .slice(0, 5)
    .map(({ path, message }) => `${path.join(".") || "the body"}: ${message}`);
  return new HttpError(400, "bad-body", `The ${event} event cannot be read: ${fields.join("; ")}.`);
}

const strictUtf8 = new TextDecoder("utf-8", { fatal: true });

function splitRef(ref: string): Pick<PushEvent, "name" | "kind"> {
  const match = /^refs\/(heads|tags)\/(.+)$/.exec(ref);
  if (match === null) return { name: ref, kind: "other" };
  const [, folder, name = ""] = match;
  return { name, kind: folder === "heads" ? "branch" : "tag" };
}

/** The rules of `git check-ref-format`, and nothing that could be taken for an option. */
function isRefName(name: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: git refuses exactly these.
  if (/[\x00-\x20\x7f~^:?*[\\]|\.\.|@\{|\/\/|^[-/]|[/.]$/.test(name)) return false;
  return name.split("/").every((part) => !part.startsWith(".") && !part.endsWith(".lock"));
}

function isPlainUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const url = new URL(text);
  return /^https?:$/.test(url.protocol) && url.username === "" && url.password === "";
}
