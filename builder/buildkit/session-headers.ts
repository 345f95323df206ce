export const EXPOSED_METHOD = "x-docker-expose-session-grpc-method";

/** What tells BuildKit about a session, on `POST /session` and on `Control.Session` alike. */
export function sessionHeaders(
  id: string,
  methods: readonly string[],
): Readonly<Record<string, string | readonly string[]>> {
  return {
    "x-docker-expose-session-uuid": id,
    "x-docker-expose-session-name": "openfaas-cloud",
    "x-docker-expose-session-sharedkey": "",
    [EXPOSED_METHOD]: methods,
  };
}
