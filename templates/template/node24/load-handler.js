// Finds function/handler.* and returns its function, from CommonJS, an ES module or TypeScript.

const { existsSync } = require("node:fs");
const { join } = require("node:path");
const { pathToFileURL } = require("node:url");

// The sample handler.js stays beside a handler of another kind, so `.js` is looked for last.
const NAMES = ["ts", "mts", "cts", "mjs", "cjs", "js"].flatMap((extension) => [
  `handler.${extension}`,
  `handler/index.${extension}`,
]);
const SEARCH = NAMES.sort((a, b) => Number(a.endsWith(".js")) - Number(b.endsWith(".js")));

async function loadHandler(folder) {
  const name = SEARCH.find((one) => existsSync(join(folder, one)));
  if (name === undefined) {
    throw new Error(
      `No handler in ${folder}; add handler.js, handler.ts, handler.mjs or handler.cjs.`,
    );
  }
  const handler = pickHandler(await import(pathToFileURL(join(folder, name)).href));
  if (typeof handler === "function") return handler;
  throw new Error(
    `${name} exports no function; write "module.exports = async (event, context) => …" or "export default".`,
  );
}

/** `export default`, `module.exports`, a compiler's `exports.default`, or an export named handler or handle. */
function pickHandler(module) {
  const candidates = [module.default?.default, module.default, module.handler, module.handle];
  return candidates.find((one) => typeof one === "function");
}

module.exports = { loadHandler };
