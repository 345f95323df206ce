// Finds function/handler.* and returns its function, from CommonJS, an ES module or TypeScript.

const { existsSync } = require("node:fs");
const { join } = require("node:path");
const { pathToFileURL } = require("node:url");

// The sample handler.js stays beside a handler of another kind, so it is looked for last.
const SEARCH = ["ts", "mts", "cts", "mjs", "cjs", "js"].map((extension) => `handler.${extension}`);

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
