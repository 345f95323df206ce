/** Settings of a project's .npmrc that this builder lets npm see; the rest could name programs to run. */
const ALLOWED = [
  /^(@[\w.-]+:)?registry$/,
  /^\/\/[^\s:]+(:\d+)?[^\s:]*:(_authToken|_auth|username|_password|email|always-auth)$/,
  /^(legacy-peer-deps|strict-peer-deps|prefer-dedupe|engine-strict|save-exact|always-auth)$/,
];
/** Harmless and common; dropped without a word. */
const SILENT = /^(fund|audit|update-notifier|loglevel|progress|color|package-lock|save|yes)$/;

export type Npmrc = {
  readonly text: string;
  /** Names of settings that were left out. */
  readonly dropped: readonly string[];
};

/** Keep registries and their credentials; `${NAME}` never finds anything in the builder's environment. */
export function filterNpmrc(text: string): Npmrc {
  const kept: string[] = [];
  const dropped: string[] = [];
  for (const line of text.split(/\r?\n/)) {
    const name = /^\s*([^=;#\s]+)\s*=/.exec(line)?.[1];
    if (name === undefined) continue;
    if (isAllowed(name, line)) kept.push(line);
    else if (!SILENT.test(name)) dropped.push(name.slice(0, 80));
  }
  return { text: kept.map((line) => `${line}\n`).join(""), dropped };
}

function isAllowed(name: string, line: string): boolean {
  if (!ALLOWED.some((one) => one.test(name))) return false;
  return !name.endsWith("registry") || /=\s*["']?https?:\/\//.test(line);
}
