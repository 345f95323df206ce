import type { EnvReader } from "#sdk/env.ts";
import type { FunctionUrl } from "#sdk/messages.ts";

/** Where people reach what was deployed; every URL ends in a slash, an empty text is "none". */
export type StatusUrls = {
  /** `http://127.0.0.1:8080/` */
  readonly gateway: string;
  /** `https://user.<root>/function/`: `user` becomes the owner, `function` the function. */
  readonly pretty: string;
  /** `https://system.<root>/dashboard/` */
  readonly dashboard: string;
};

/** What a status is about. */
export type StatusSubject = {
  readonly state: "pending" | "success" | "failure" | "error";
  readonly owner: { readonly login: string; readonly slug: string };
  readonly repository: { readonly fullName: string; readonly url: string };
  readonly sha: string;
  /** Key in stack.yml; absent for the status of the whole push. */
  readonly functionName?: string;
};

/** The three variables every room that reports shares. */
export function readStatusUrls(read: EnvReader): StatusUrls {
  return {
    gateway: read.url("gateway_public_url", "http://127.0.0.1:8080/"),
    pretty: readOptional(read, "gateway_pretty_url"),
    dashboard: readOptional(read, "dashboard_url"),
  };
}

/** Where a function answers. */
export function functionUrl(urls: StatusUrls, slug: string, name: string): FunctionUrl {
  const url = `${urls.gateway}function/${slug}-${name}`;
  return urls.pretty === "" ? { name, url } : { name, url, prettyUrl: prettyUrl(urls, slug, name) };
}

/**
 * The page a status leads to: the function once it is live, otherwise the dashboard's page of the build, or
 * the commit's own page where there is no dashboard (spec/pipeline.md section 14.2, its W18 put right).
 */
export function statusUrl(urls: StatusUrls, about: StatusSubject): string {
  const { owner, repository, sha, functionName } = about;
  if (about.state === "success" && functionName !== undefined) {
    const live = functionUrl(urls, owner.slug, functionName);
    return live.prettyUrl ?? live.url;
  }
  if (urls.dashboard === "") return `${repository.url.replace(/\/$/, "")}/commit/${sha}`;
  const page = `${urls.dashboard}${encodeURIComponent(owner.login)}`;
  if (functionName === undefined) return page;
  const query = new URLSearchParams({ repoPath: repository.fullName, commitSHA: sha });
  return `${page}/${encodeURIComponent(functionName)}/build-log?${query}`;
}

/** Only a whole first host label `user` and a last path part `function` are places to fill in. */
function prettyUrl({ pretty }: StatusUrls, slug: string, name: string): string {
  const hosted = pretty.replace(/^(https?:\/\/)user\./, `$1${slug}.`);
  return `${hosted.replace(/\/function\/$/, "/")}${name}`;
}

function readOptional(read: EnvReader, name: string): string {
  return read.text(name, "") === "" ? "" : read.url(name);
}
