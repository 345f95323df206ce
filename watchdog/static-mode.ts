import { createReadStream } from "node:fs";
import { realpath, stat } from "node:fs/promises";
import { extname, join, sep } from "node:path";
import { pipeline } from "node:stream/promises";
import { errorCode } from "#sdk/errors.ts";
import { answer, type Call, type Invoke } from "./call.ts";

const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".mjs": "text/javascript; charset=utf-8",
  ".json": "application/json",
  ".txt": "text/plain; charset=utf-8",
  ".md": "text/markdown; charset=utf-8",
  ".xml": "application/xml",
  ".svg": "image/svg+xml",
  ".png": "image/png",
  ".jpg": "image/jpeg",
  ".jpeg": "image/jpeg",
  ".gif": "image/gif",
  ".webp": "image/webp",
  ".ico": "image/x-icon",
  ".pdf": "application/pdf",
  ".woff2": "font/woff2",
  ".wasm": "application/wasm",
};

type Found = { readonly path: string; readonly size: number; readonly modified: Date };

/** Files below a folder, and `index.html` for a folder; links that leave it are not followed. */
export function createStaticMode(folder: string): Invoke {
  return async (call) => {
    const { method, url = "/" } = call.request;
    if (method !== "GET" && method !== "HEAD") return answer(call, 405, { allow: "GET, HEAD" });
    const found = await findFile(folder, url);
    if (found === undefined)
      return answer(call, 404, { "content-type": "text/plain" }, "404 page not found\n");
    return sendFile(call, found);
  };
}

async function findFile(folder: string, url: string): Promise<Found | undefined> {
  try {
    const name = decodeURIComponent(url.split("?")[0] ?? "/");
    if (name.includes("\0")) return undefined;
    const home = await realpath(folder);
    const path = await realpath(join(home, name));
    if (path !== home && !path.startsWith(home + sep)) return undefined;
    const found = await stat(path);
    if (found.isDirectory()) return await findIndex(home, path);
    return found.isFile() ? { path, size: found.size, modified: found.mtime } : undefined;
  } catch (error) {
    if (error instanceof URIError || isMissing(errorCode(error))) return undefined;
    throw error;
  }
}

async function findIndex(home: string, folder: string): Promise<Found | undefined> {
  const path = await realpath(join(folder, "index.html"));
  const found = await stat(path);
  if (!path.startsWith(home + sep) || !found.isFile()) return undefined;
  return { path, size: found.size, modified: found.mtime };
}

async function sendFile(call: Call, { path, size, modified }: Found): Promise<void> {
  call.response.writeHead(200, {
    "content-type": TYPES[extname(path).toLowerCase()] ?? "application/octet-stream",
    "content-length": size,
    "last-modified": modified.toUTCString(),
    "x-content-type-options": "nosniff",
  });
  if (call.request.method === "HEAD") {
    call.response.end();
    return;
  }
  await pipeline(createReadStream(path, { end: Math.max(0, size - 1) }), call.response);
}

function isMissing(code: string | undefined): boolean {
  return ["ENOENT", "ENOTDIR", "EACCES", "ELOOP", "ENAMETOOLONG"].includes(code ?? "");
}
