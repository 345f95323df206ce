// The body of a request as the official Node templates hand it over: by content type, within limits.

const { toObject } = require("./to-object.js");

/** Throws an error with `statusCode` 413 or 400 when the body is too large or not what its type says. */
async function readBody(request, settings) {
  request.headers["content-type"] ||= "text/plain";
  if (!hasBody(request)) return {};
  const type = request.headers["content-type"].split(";")[0].trim().toLowerCase();
  const limit = isJson(type) && !settings.rawBody ? settings.maxJsonBytes : settings.maxRawBytes;
  const bytes = await collect(request, limit);
  if (settings.rawBody) return bytes;
  if (isJson(type)) return parseJson(bytes);
  if (type === "application/x-www-form-urlencoded")
    return toObject(new URLSearchParams(String(bytes)));
  return type.startsWith("text/") ? String(bytes) : bytes;
}

function hasBody({ headers }) {
  return headers["transfer-encoding"] !== undefined || headers["content-length"] !== undefined;
}

function isJson(type) {
  return type === "application/json" || type.endsWith("+json");
}

async function collect(request, limit) {
  const chunks = [];
  let size = 0;
  if (Number(request.headers["content-length"]) > limit) throw tooLarge(limit);
  for await (const chunk of request) {
    size += chunk.length;
    if (size > limit) throw tooLarge(limit);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, size);
}

function tooLarge(limit) {
  return refusal(
    413,
    `The body is larger than ${limit} bytes; raise MAX_JSON_SIZE or MAX_RAW_SIZE.`,
  );
}

function parseJson(bytes) {
  if (bytes.length === 0) return {};
  try {
    return JSON.parse(String(bytes));
  } catch (error) {
    throw refusal(400, `The body is not JSON: ${error.message}`);
  }
}

function refusal(statusCode, message) {
  return Object.assign(new Error(message), { statusCode });
}

module.exports = { readBody };
