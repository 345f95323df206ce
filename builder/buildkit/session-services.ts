import { Code, ConnectError, type ConnectRouter } from "@connectrpc/connect";
import { describe } from "#sdk/errors.ts";
import type { FindLogin } from "#sdk/registry-logins.ts";
import { Auth } from "./generated/auth_pb.ts";
import { Health } from "./generated/health_pb.ts";
import { Secrets } from "./generated/secrets_pb.ts";
import { Upload } from "./generated/upload_pb.ts";

/** What one build lets BuildKit ask for; nothing of it is ever part of the request itself. */
export type SessionOffer = {
  readonly uploadId: string;
  /** The tar of the build context, taken once. */
  readonly context: AsyncIterable<Uint8Array>;
  /** By id, for `RUN --mount=type=secret`. */
  readonly secrets: ReadonlyMap<string, Uint8Array>;
  /** By registry as the daemon names it: `registry-1.docker.io`, `127.0.0.1:5000`. */
  readonly findLogin: FindLogin;
};

/** gRPC in Go takes messages of at most 4 MiB. */
const MESSAGE_BYTES = 1024 * 1024;
const SERVING = 1;

export function offerServices(router: ConnectRouter, offer: SessionOffer): void {
  // Without it the daemon drops the session within seconds.
  router.service(Health, { check: () => ({ status: SERVING }) });
  router.service(Upload, { pull: createPull(offer) });
  router.service(Secrets, {
    getSecret({ id }) {
      const data = offer.secrets.get(id);
      if (data === undefined) throw new ConnectError(`secret ${id} not found`, Code.NotFound);
      return { data };
    },
  });
  router.service(Auth, {
    credentials({ host }) {
      const login = offer.findLogin(host);
      return login ? { username: login.username, secret: login.password } : {};
    },
  });
}

function createPull({ uploadId, context }: SessionOffer) {
  let taken = false;
  return async function* pull(_requests: unknown, call: { readonly requestHeader: Headers }) {
    if (taken || call.requestHeader.get("urlpath") !== `/${uploadId}`)
      throw new ConnectError("no such upload", Code.NotFound);
    taken = true;
    try {
      for await (const chunk of context)
        for (let at = 0; at < chunk.length; at += MESSAGE_BYTES)
          yield { data: chunk.subarray(at, at + MESSAGE_BYTES) };
    } catch (error) {
      // The library hides any other error behind "internal error".
      throw new ConnectError(`build context: ${describe(error)}`, Code.Aborted);
    }
  };
}
