import type { BasePins } from "#sdk/base-pin.ts";
import type { FunctionDeployment } from "#sdk/messages.ts";

export type PlannedFunction = {
  /** Key in stack.yml. */
  readonly name: string;
  /** Deployed name, `<owner slug>-<name>`. */
  readonly service: string;
  readonly lang: string;
  /** `v1:<sha256>` over everything that decides the image (design.md section 9, Plan). */
  readonly key: string;
  /** `<registry>/<owner slug>/<repository>/<function>:<sha7>-<key12>`, without digest. */
  readonly image: string;
  /** Everything of the deployment that is known before the build: all but image digest, release, fence. */
  readonly deployment: FunctionDeployment;
  /** Hash of what the owner decides about the deployment; equal hash and digest deploy nothing. */
  readonly specHash: string;
  /** Handler folder in the repository and template, for packing the build context. */
  readonly handler: string;
  readonly buildArgs: Readonly<Record<string, string>>;
  /** What base images were when it was planned; absent without containers. */
  readonly bases?: BasePins;
  /** Extra paths copied beside the handler (`configuration.copy`). */
  readonly copy: readonly string[];
};

export type Plan = { readonly v: 1; readonly functions: readonly PlannedFunction[] };
