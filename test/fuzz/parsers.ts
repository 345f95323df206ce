import type { Parser } from "./parser.ts";

/** What is fuzzed, by the name of its folder in `corpus/`; each alone, since code that is loaded is measured. */
export const PARSERS: Readonly<Record<string, () => Promise<Parser>>> = {
  webhook: async () => (await import("./parsers/webhook.ts")).webhook,
  stack: async () => (await import("./parsers/stack.ts")).stack,
  template: async () => (await import("./parsers/template.ts")).template,
  tar: async () => (await import("./parsers/tar.ts")).tar,
  dockerignore: async () => (await import("./parsers/dockerignore.ts")).dockerignore,
  route: async () => (await import("./parsers/route.ts")).route,
  values: async () => (await import("./parsers/values.ts")).values,
  git: async () => (await import("./parsers/git.ts")).git,
  watchdog: async () => (await import("./parsers/watchdog.ts")).watchdog,
  deployment: async () => (await import("./parsers/deployment.ts")).deployment,
  lines: async () => (await import("./parsers/lines.ts")).lines,
};
