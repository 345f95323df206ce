// Calls a handler as (event, context, callback) and turns what it gives back into the response.

const { toObject } = require("./to-object.js");

class FunctionEvent {
  constructor(request, body) {
    const [path, query = ""] = split(request.url, "?");
    this.body = body;
    this.headers = request.headers;
    this.method = request.method;
    this.query = toObject(new URLSearchParams(query));
    this.path = path;
  }
}

class FunctionContext {
  constructor(callback) {
    this.statusCode = 200;
    this.cb = callback;
    this.headerValues = {};
    this.cbCalled = 0;
  }

  /** Without a value the status so far, with one this context. */
  status(statusCode) {
    if (!statusCode) return this.statusCode;
    this.statusCode = statusCode;
    return this;
  }

  /** Without a value the headers so far, with one this context. */
  headers(value) {
    if (!value) return this.headerValues;
    this.headerValues = value;
    return this;
  }

  succeed(value) {
    this.cb(undefined, value);
  }

  fail(value) {
    this.cb(value ?? new Error("The function failed without saying why."));
  }
}

/** Rejects with what the handler threw; the first of return value and callback is the answer. */
async function invoke(handler, request, body, answer) {
  const context = new FunctionContext((error, value) => {
    if (context.cbCalled++ > 0) return;
    if (error) sendError(error, context, answer);
    else send(value, context, answer);
  });

  try {
    const value = await handler(new FunctionEvent(request, body), context, context.cb);
    // A handler that takes a callback may answer after it returned.
    if (context.cbCalled > 0 || (value === undefined && handler.length >= 3)) return;
    context.succeed(value);
  } catch (error) {
    if (context.cbCalled > 0) throw error;
    context.cb(error ?? new Error("The function threw nothing."));
  }
}

function sendError(error, context, { response, duration }) {
  console.error(error);
  // The deadline has answered already.
  if (response.headersSent) return;
  response.statusCode = context.statusCode === 200 ? 500 : context.statusCode;
  for (const [name, one] of Object.entries(context.headerValues)) response.setHeader(name, one);
  response.setHeader("content-type", "text/plain; charset=utf-8");
  response.setHeader("x-duration-seconds", duration());
  response.end(String(error));
}

function send(value, context, { response, duration }) {
  if (response.headersSent) return;
  const [type, body] = encode(value);
  response.statusCode = context.statusCode;
  response.setHeader("x-duration-seconds", duration());
  for (const [name, one] of Object.entries(context.headerValues)) response.setHeader(name, one);
  if (type && !response.hasHeader("content-type")) response.setHeader("content-type", type);
  if (!isStream(body)) return response.end(body);
  const { pipeline } = require("node:stream");
  return pipeline(body, response, (error) => {
    if (error) console.error(error);
  });
}

/** Content type, unless the handler sets one, and body. */
function encode(value) {
  if (value === undefined || value === null) return [undefined, ""];
  if (typeof value === "string") return ["text/html; charset=utf-8", value];
  if (value instanceof Uint8Array || isStream(value)) return ["application/octet-stream", value];
  return ["application/json; charset=utf-8", JSON.stringify(value)];
}

/** A Node stream, a web stream or an async generator. */
function isStream(value) {
  return typeof value === "object" && value !== null && Symbol.asyncIterator in value;
}

function split(text, separator) {
  const at = text.indexOf(separator);
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + 1)];
}

module.exports = { invoke };
