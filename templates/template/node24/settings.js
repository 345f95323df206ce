// What the watchdog reads from its environment, with the names and defaults of OpenFaaS' of-watchdog.

const UNIT_MS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };
const LONGEST_WAIT_MS = 2 ** 31 - 1;
const UNIT_BYTES = { "": 1, b: 1, kb: 1 << 10, mb: 1 << 20, gb: 1 << 30 };

/** Throws when a variable does not parse, naming it and what it holds. */
function readSettings(env, args) {
  const socketPath = args[0] === "--listen" ? args[1] : undefined;
  const writeTimeoutMs = duration("write_timeout", "30s");
  return {
    socketPath,
    port: integer("port", "8080"),
    maxInflight: integer("max_inflight", "0"),
    readTimeoutMs: duration("read_timeout", "30s"),
    writeTimeoutMs,
    execTimeoutMs: duration("exec_timeout", "30s"),
    // Whoever gives a socket stops routing to it before it sends SIGTERM.
    healthcheckIntervalMs: duration(
      "healthcheck_interval",
      socketPath ? "0" : `${writeTimeoutMs}ms`,
    ),
    readyPath: env.ready_path ?? "",
    // Replicas on one machine share the temporary folder, so a socket's health is the process's own.
    lockFile: socketPath === undefined && env.suppress_lock !== "true",
    rawBody: env.RAW_BODY === "true",
    maxRawBytes: bytes("MAX_RAW_SIZE", "100kb"),
    maxJsonBytes: bytes("MAX_JSON_SIZE", "100kb"),
    parseDuration,
  };

  function read(name, fallback, parse, expected) {
    const text = env[name] || fallback;
    const value = parse(text);
    if (Number.isNaN(value)) throw new Error(`${name} is "${text}"; expected ${expected}`);
    return value;
  }
  function integer(name, fallback) {
    return read(
      name,
      fallback,
      (text) => (/^\d+$/.test(text) ? Number(text) : Number.NaN),
      "a whole number",
    );
  }
  function duration(name, fallback) {
    return read(name, fallback, parseWait, 'a duration such as "30s" or "1m5s", up to 596h');
  }
  function bytes(name, fallback) {
    return read(name, fallback, parseBytes, 'a size such as "100kb" or "5mb"');
  }
}

/** A duration that a timer can wait for; a longer one would go off at once. */
function parseWait(text) {
  const ms = parseDuration(text);
  return ms > LONGEST_WAIT_MS ? Number.NaN : ms;
}

/** Milliseconds of plain seconds (`"30"`) or a Go duration (`"1m5s"`); NaN for anything else. */
function parseDuration(text) {
  if (/^\d+$/.test(text)) return Number(text) * 1_000;
  if (!/^(\d+(\.\d+)?(ms|s|m|h))+$/.test(text)) return Number.NaN;
  let total = 0;
  for (const [, amount, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)) {
    total += Number(amount) * UNIT_MS[unit];
  }
  return total;
}

function parseBytes(text) {
  const match = /^(\d+(?:\.\d+)?) ?(|b|kb|mb|gb)$/i.exec(text);
  return match ? Math.floor(Number(match[1]) * UNIT_BYTES[match[2].toLowerCase()]) : Number.NaN;
}

module.exports = { readSettings };
