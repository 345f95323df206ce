import type { Handler } from "#sdk/answer.ts";
import type { Log } from "#sdk/log.ts";
import type { BuildEvent } from "#sdk/messages.ts";
import type { ForgeSettings } from "./settings.ts";
import type { NewToken, TokenInfo } from "./store/users.ts";

export type ForgeTools = {
  /** The platform's data folder; the forge keeps to `git/` in it. */
  readonly dataFolder: string;
  /** Where users reach the platform, with a trailing slash. */
  readonly publicUrl: string;
  readonly webhookUrl: string;
  readonly webhookSecret: string;
  readonly appId: number;
  /** SPKI PEM; verifies the App's JWTs. */
  readonly appPublicKeyPem: string;
  /** Everything that happens to the build of the delivery `forge:<delivery id>`, from its beginning. */
  readonly followBuild: (deliveryKey: string, signal: AbortSignal) => AsyncIterable<BuildEvent>;
  /** Why no owner may push now, or `undefined`: the disk is full. */
  readonly refusePush?: () => string | undefined;
  readonly settings: ForgeSettings;
  readonly log: Log;
  readonly fetch?: typeof fetch;
  readonly now?: () => number;
};

export type Forge = {
  /** `/git/…` and `/api/v3/…`. */
  readonly handler: Handler;
  /** Send what was not delivered, and announce refs that moved while the platform was down. */
  start(): Promise<void>;
  /** A further token for an owner; the first makes the owner. */
  createToken(owner: string, name?: string): NewToken & { readonly pushUrl: string };
  /** A new token in place of an old one, which stops working. */
  rotateToken(owner: string, id: number): NewToken;
  /** False when the owner has no such token in force. */
  revokeToken(owner: string, id: number): boolean;
  listTokens(owner: string): TokenInfo[];
  /** Have every repository take as little of the disk as git can make it. */
  pack(): Promise<void>;
  close(): Promise<void>;
};
