import { Code, ConnectError } from "@connectrpc/connect";
import { describe, HttpError } from "#sdk/errors.ts";

/** Codes that come from the way to the daemon or its end, not from a build: those all end in Unknown. */
const LOST: ReadonlySet<Code> = new Set([
  Code.Canceled,
  Code.Unavailable,
  Code.Aborted,
  Code.Internal,
]);

/**
 * 422 `build-failed` with the step that failed, 503 `buildkit-lost`, or 503 `buildkit-changed` where it does
 * not know the exporter that the one before it had.
 */
export function explainFailure(
  error: unknown,
  isLost: boolean,
  failed: readonly { readonly name: string; readonly error: string }[],
): unknown {
  if (!(error instanceof ConnectError)) return error;
  if (isLost || LOST.has(error.code) || error.rawMessage.includes("no active session"))
    return new HttpError(503, "buildkit-lost", `BuildKit was lost: ${describe(error)}.`, {
      cause: error,
    });
  if (failed.length === 0 && /^exporter "\w+" could not be found/.test(error.rawMessage))
    return new HttpError(
      503,
      "buildkit-changed",
      "BuildKit is another one than before; try again.",
      {
        cause: error,
      },
    );
  // Steps that run beside the failing one are cancelled, and say so.
  const step = failed.find((one) => !one.error.endsWith("context canceled"));
  if (/failed to push/.test(step?.error ?? error.rawMessage)) return refusePush(error);
  const message =
    step === undefined
      ? `The build failed: ${clean(error.rawMessage)}`
      : `Step "${step.name}" failed: ${clean(step.error)}`;
  return new HttpError(422, "build-failed", message, { cause: error });
}

function refusePush(error: ConnectError): HttpError {
  const message = `The image could not be pushed: ${error.rawMessage}.`;
  return new HttpError(502, "push-failed", message, { cause: error });
}

/** Some daemons name folders of their machine. */
function clean(text: string): string {
  return text.replace(/\/\S*\/buildkit-mount\d+\//g, "");
}
