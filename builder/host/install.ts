import { join } from "node:path";
import type { Template } from "#sdk/templates.ts";
import type { BuilderSettings } from "../settings.ts";
import { installNpm } from "./install-npm.ts";
import { installPip } from "./install-pip.ts";

export type InstallTools = {
  readonly settings: BuilderSettings;
  /** The installer's whole environment. */
  readonly env: Readonly<Record<string, string>>;
  /** Of this owner alone. */
  readonly cacheFolder: string;
  readonly tell: (line: string) => void;
  readonly signal: AbortSignal;
};

/** Bring in the packages a handler asks for, the way its template does. */
export async function install(
  root: string,
  template: Template,
  tools: InstallTools,
): Promise<void> {
  const folder = join(root, template.handlerFolder);
  switch (template.host?.install) {
    case "npm":
      return installNpm(folder, tools);
    case "pip":
      return installPip(folder, root, tools);
    case "none":
    case undefined:
      return undefined;
  }
}
