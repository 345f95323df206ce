import { createServer } from "node:http";
import { gzipSync } from "node:zlib";
import { pack } from "tar-stream";

/** On port 80: an npm registry with the one package `tea`, and "out" for everything else. Says when it listens. */
const packed = await packTea();
const server = createServer((request, answer) => {
  if (request.url === "/tea.tgz") return void answer.end(packed);
  if (request.url !== "/tea") return void answer.end("out");
  const dist = { tarball: `http://${request.headers.host}/tea.tgz` };
  answer.setHeader("content-type", "application/json");
  const version = { name: "tea", version: "1.0.0", dist };
  answer.end(
    JSON.stringify({
      name: "tea",
      "dist-tags": { latest: "1.0.0" },
      versions: { "1.0.0": version },
    }),
  );
});
server.listen(80, () => process.stdout.write("listening\n"));

async function packTea(): Promise<Buffer> {
  const tar = pack();
  tar.entry({ name: "package/package.json" }, '{"name":"tea","version":"1.0.0"}');
  tar.entry({ name: "package/index.js" }, 'module.exports = "green tea";');
  tar.finalize();
  const chunks: Uint8Array[] = [];
  for await (const chunk of tar) if (chunk instanceof Uint8Array) chunks.push(chunk);
  return gzipSync(Buffer.concat(chunks));
}
