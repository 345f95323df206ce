import { randomUUID } from "node:crypto";
import { signWebhook } from "#sdk/webhook-signature.ts";

export const WEBHOOK_SECRET = "It's a Secret to Everybody";

/** 40 hex digits that begin with the number. */
export function commitSha(number: number): string {
  return number.toString(16).padStart(7, "0").padEnd(40, "c");
}

export type PushBody = {
  readonly ref?: string;
  readonly after?: string;
  readonly deleted?: boolean;
  readonly owner?: { readonly id: number; readonly login: string };
  readonly repository?: { readonly id: number; readonly name: string };
  readonly defaultBranch?: string;
  readonly installationId?: number;
};

/** The body of a `push` as GitHub sends it, with the fields that tests vary. */
export function pushBody({
  ref = "refs/heads/main",
  after = commitSha(1),
  deleted = false,
  owner = { id: 1, login: "Alice" },
  repository = { id: 10, name: "shop" },
  defaultBranch = "main",
  installationId = 7,
}: PushBody = {}) {
  const fullName = `${owner.login}/${repository.name}`;
  return {
    ref,
    before: "0".repeat(40),
    after,
    created: false,
    deleted,
    forced: false,
    commits: [],
    repository: {
      id: repository.id,
      name: repository.name,
      full_name: fullName,
      private: false,
      owner: { ...owner, name: owner.login, email: null, type: "User" },
      html_url: `https://github.com/${fullName}`,
      url: `https://github.com/${fullName}`,
      clone_url: `https://github.com/${fullName}.git`,
      default_branch: defaultBranch,
      master_branch: defaultBranch,
    },
    pusher: { name: owner.login, email: "alice@example.com" },
    installation: { id: installationId, node_id: "x" },
  };
}

export type DeliveryOptions = {
  readonly event?: string;
  readonly id?: string;
  readonly secret?: string;
  /** Laid over the usual ones; `null` leaves a header out. */
  readonly headers?: Readonly<Record<string, string | null>>;
};

/** Any webhook delivery, signed over the bytes it carries. */
export function delivery(
  body: unknown,
  {
    event = "push",
    id = randomUUID(),
    secret = WEBHOOK_SECRET,
    headers: changed = {},
  }: DeliveryOptions = {},
): Request {
  const bytes = Buffer.from(typeof body === "string" ? body : JSON.stringify(body));
  const headers = new Headers({
    "content-type": "application/json",
    "x-github-event": event,
    "x-github-delivery": id,
    "x-hub-signature-256": signWebhook(bytes, secret),
  });
  for (const [name, value] of Object.entries(changed)) {
    if (value === null) headers.delete(name);
    else headers.set(name, value);
  }
  return new Request("http://gateway/github-event", { method: "POST", headers, body: bytes });
}

/** A complete signed delivery of a push. */
export function pushDelivery(push: PushBody & DeliveryOptions = {}): Request {
  return delivery(pushBody(push), push);
}
