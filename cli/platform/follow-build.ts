import type { GatewayClient } from "#sdk/gateway-client.ts";
import type { BuildEvent } from "#sdk/messages.ts";

/** What happens to the build of a delivery, as pipeline-log tells it, until it has ended. */
export async function* followBuild(
  gateway: GatewayClient,
  deliveryKey: string,
  signal: AbortSignal,
): AsyncGenerator<BuildEvent> {
  const query = `?${new URLSearchParams({ delivery: deliveryKey, follow: "true" })}`;
  const response = await gateway.call("pipeline-log", "", { method: "GET", query, signal });
  if (!response.ok || response.body === null) {
    throw new Error(
      `pipeline-log answered ${response.status}: ${(await response.text()).slice(0, 200)}`,
    );
  }
  let rest = "";
  for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop() ?? "";
    // Both ends of this stream are the platform's own, of one release.
    for (const line of lines) yield JSON.parse(line) as BuildEvent;
  }
}
