import type { GithubSource } from "#sdk/github-app.ts";
import type { Source } from "../../functions/github-event/identify-source.ts";
import type { PlatformSecrets } from "./platform-secrets.ts";
import type { PlatformSettings } from "./settings.ts";

/** Where commit statuses go and heads are read: the forge, and GitHub once an App is configured. */
export function githubSources(
  settings: PlatformSettings,
  gatewayUrl: string,
  { privateKey }: PlatformSecrets,
): GithubSource[] {
  const forge = { scm: "forge", baseUrl: `${gatewayUrl}api/v3`, appId: "1", privateKey };
  if (settings.githubAppId === 0) return [forge];
  return [
    forge,
    {
      scm: "github",
      baseUrl: settings.githubApiUrl,
      appId: String(settings.githubAppId),
      privateKey,
    },
  ];
}

/** Whose webhooks are taken; the secret that fits says who sent one. */
export function webhookSources(secrets: PlatformSecrets): Source[] {
  return [
    { scm: "forge", webhookSecret: secrets.forgeWebhookSecret },
    { scm: "github", webhookSecret: secrets.githubWebhookSecret },
  ];
}
