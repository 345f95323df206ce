import { createServer, type RequestListener } from "node:http";
import { gzipSync } from "node:zlib";
import { pack } from "tar-stream";

/** The one package of the registry, in the one version 1.0.0. */
export const PACKAGE = "tea";

/** On port 80 an npm registry, and "out" for everything else. Says when it listens. */
async function serveOutside(): Promise<void> {
  const answer = createAnswer(await packPackage());
  createServer(answer).listen(80, () => process.stdout.write("listening\n"));
}

function createAnswer(packed: Buffer): RequestListener {
  return (request, answer) => {
    if (request.url === `/${PACKAGE}.tgz`) return void answer.end(packed);
    if (request.url !== `/${PACKAGE}`) return void answer.end("out");
    const dist = { tarball: `http://${request.headers.host}/${PACKAGE}.tgz` };
    const version = { name: PACKAGE, version: "1.0.0", dist };
    answer.setHeader("content-type", "application/json");
    answer.end(
      JSON.stringify({
        name: PACKAGE,
        "dist-tags": { latest: "1.0.0" },
        versions: { "1.0.0": version },
      }),
    );
  };
}

async function packPackage(): Promise<Buffer> {
  const tar = pack();
  const manifest = JSON.stringify({ name: PACKAGE, version: "1.0.0" });
  tar.entry({ name: "package/package.json" }, manifest);
  tar.entry({ name: "package/index.js" }, 'module.exports = "green";');
  tar.finalize();
  const chunks: Uint8Array[] = [];
  for await (const chunk of tar) if (chunk instanceof Uint8Array) chunks.push(chunk);
  return gzipSync(Buffer.concat(chunks));
}

if (import.meta.main) await serveOutside();
