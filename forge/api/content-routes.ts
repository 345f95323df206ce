import { checkObjects, expressionsOf, type GitObject, readObjects } from "../git/read-objects.ts";
import type { Repository } from "../store/repositories.ts";
import type { ApiContext, ApiTools } from "./api-tools.ts";
import { GithubError, notFound } from "./github-error.ts";

/** Larger files are fetched with git, as on GitHub. */
const LIMIT_BYTES = 1024 * 1024;

type Entry = { readonly mode: string; readonly name: string; readonly sha: string };

/** Files and folders of a commit. */
export function createContentRoutes({ git, folderOf, links }: ApiTools) {
  return { show };

  async function show(context: ApiContext, repository: Repository): Promise<Response> {
    const path = (context.req.param("path") ?? "").replace(/^\/+|\/+$/g, "");
    const ref = context.req.query("ref") ?? repository.defaultBranch;
    const object = await find(repository, ref, path);
    if (object.type === "tree")
      return context.json(parseTree(object.content).map((entry) => formatEntry(entry)));
    if (object.type !== "blob") throw notFound();
    if (/\bapplication\/vnd\.github(\.v3)?\.raw\b/.test(context.req.header("accept") ?? "")) {
      return context.body(new Uint8Array(object.content), 200, {
        "content-type": "application/octet-stream",
        "x-content-type-options": "nosniff",
      });
    }
    return context.json({
      ...describePath("file", path, object.sha, object.size),
      encoding: "base64",
      content: object.content.toString("base64").replace(/.{60}/g, "$&\n"),
    });

    function formatEntry({ mode, name, sha }: Entry) {
      return describePath(kindOf(mode), path === "" ? name : `${path}/${name}`, sha, 0);
    }

    function describePath(type: string, at: string, sha: string, size: number) {
      const api = links.repository(repository.owner, repository.name);
      const escaped = at.split("/").map(encodeURIComponent).join("/");
      const self = `${api}/contents/${escaped}?ref=${encodeURIComponent(ref)}`;
      const object = `${api}/git/${type === "dir" ? "trees" : "blobs"}/${sha}`;
      const name = at.slice(at.lastIndexOf("/") + 1);
      return {
        type,
        size,
        name,
        path: at,
        sha,
        url: self,
        git_url: object,
        html_url: null,
        download_url: null,
        _links: { self, git: object, html: null },
      };
    }
  }

  async function find(repository: Repository, ref: string, path: string): Promise<GitObject> {
    const names = expressionsOf(ref);
    if (names.length === 0 || !isPath(path)) throw notFound();
    const folder = folderOf(repository.id);
    const found = await checkObjects(
      git,
      folder,
      names.map((name) => `${name}:${path}`),
    );
    const known = found.find((object) => object !== undefined);
    if (known === undefined) throw notFound();
    if (known.size > LIMIT_BYTES) {
      throw new GithubError(
        403,
        `This API returns blobs up to 1 MB in size; ${path} has ${known.size} bytes. Fetch it with git.`,
      );
    }
    const [object] = await readObjects(git, folder, [known.sha]);
    if (object === undefined) throw notFound();
    return object;
  }
}

/** A path git can look up in a tree: no empty, `.` or `..` part, no line break. */
function isPath(path: string): boolean {
  if (path === "") return true;
  const parts = path.split("/");
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not get through
  return !/[\x00\n]/.test(path) && !parts.some((part) => ["", ".", ".."].includes(part));
}

function kindOf(mode: string): string {
  if (mode === "40000") return "dir";
  if (mode === "120000") return "symlink";
  return mode === "160000" ? "submodule" : "file";
}

/** Entries of a tree object: `<mode> <name>\0<20 bytes>`, one after the other. */
function parseTree(content: Buffer): Entry[] {
  const entries: Entry[] = [];
  for (let at = 0; at < content.length; ) {
    const space = content.indexOf(32, at);
    const zero = content.indexOf(0, space);
    entries.push({
      mode: content.subarray(at, space).toString(),
      name: content.subarray(space + 1, zero).toString(),
      sha: content.subarray(zero + 1, zero + 21).toString("hex"),
    });
    at = zero + 21;
  }
  return entries;
}
