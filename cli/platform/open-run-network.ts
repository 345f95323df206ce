import type { BuildNetwork } from "#provider/docker/open-build-network.ts";
import type { BuildkitAddress } from "../../builder/buildkit/address.ts";
import { readRunReach } from "../../builder/image/image-settings.ts";
import type { Foundation } from "./foundation.ts";

/** What a `RUN` reaches, with the rules for it. They are set where BuildKit is in this machine's dockerd only. */
export async function openRunNetwork(
  { data, settings, log }: Foundation,
  { kind, url, at }: BuildkitAddress,
): Promise<BuildNetwork> {
  const { reach, egressAllow } = readRunReach(settings.env);
  if (kind === "docker" && "path" in at) {
    const [{ openBuildNetwork }, { readSettings }] = await Promise.all([
      import("#provider/docker/open-build-network.ts"),
      import("#provider/docker/read-settings.ts"),
    ]);
    const { firewall } = readSettings(settings.env);
    const dockerHost = `unix://${at.path}`;
    const tools = { dataFolder: data.path, dockerHost, egressAllow, log };
    return openBuildNetwork({ ...tools, reach, setsRules: firewall === "auto" });
  }
  if (reach === "internet")
    throw new Error(
      `build_network is internet, and the network of ${url} is not this machine's to set rules for; choose none, or open to let RUN reach all that it does.`,
    );
  const close = async () => {};
  return reach === "open"
    ? {
        network: "default",
        words: "RUN reaches all that BuildKit does (build_network=open)",
        close,
      }
    : {
        network: "none",
        words:
          "RUN has no network: BuildKit's is not this machine's to set rules for; build_network=open gives it without",
        close,
      };
}
