import type { Ledger } from "#ledger/types/ledger.ts";
import type { Handler } from "#sdk/answer.ts";
import { HttpError } from "#sdk/errors.ts";
import { ownerIdOf } from "#sdk/function-owner.ts";
import type { GatewayClient } from "#sdk/gateway-client.ts";
import type { FunctionStatus } from "#sdk/messages.ts";
import { toSlug } from "#sdk/names.ts";

/** Everything the handler may touch outside itself. */
export type Tools = {
  readonly ledger: Pick<Ledger, "findOwnerBySlug" | "listOwners" | "ownerOfFunction">;
  readonly gateway: Pick<GatewayClient, "list">;
};

/** The functions of one owner, as OpenFaaS lists them, found by the owner's id rather than by name. */
export function createHandler({ ledger, gateway }: Tools): Handler {
  return async function handleList(request) {
    const ownerId = findOwnerId(await readUser(request));
    if (ownerId === undefined) return Response.json([]);
    const all = await gateway.list();
    return Response.json(
      all.filter((deployed) => isOwnedBy(deployed, ownerId)).map(withoutRegistry),
    );
  };

  /** A slug is held by one owner; a login only says who is meant where no slug does. */
  function findOwnerId(user: string): string | undefined {
    const slug = toSlug(user);
    const owner =
      ledger.findOwnerBySlug(slug) ??
      ledger.listOwners().find(({ login }) => toSlug(login) === slug);
    return owner?.id;
  }

  /** The ledger decides; a label speaks only for what the ledger never saw. */
  function isOwnedBy(deployed: FunctionStatus, ownerId: string): boolean {
    return (ledger.ownerOfFunction(deployed.name)?.ownerId ?? ownerIdOf(deployed)) === ownerId;
  }
}

/** The body, else `?user=`. */
async function readUser(request: Request): Promise<string> {
  const body = request.method === "POST" ? (await request.text()).trim() : "";
  const user = body || (new URL(request.url).searchParams.get("user") ?? "");
  if (user !== "" && user.length <= 100) return user;
  throw new HttpError(
    400,
    "no-user",
    "A user is required: send it as the body or as ?user=, at most 100 characters.",
  );
}

/** Everything up to the first slash of an image names the registry, which is nobody's business here. */
function withoutRegistry(deployed: FunctionStatus): FunctionStatus {
  const { image } = deployed;
  return { ...deployed, image: image.slice(image.indexOf("/") + 1) };
}
