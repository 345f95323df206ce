import { labels } from "#sdk/labels.ts";
import { openOn } from "./test-kit.ts";

/**
 * A platform that switches between releases and brings the older one back with its secret of then, over and
 * over until it is killed: `secrets-host.ts <folder> <image>` prints a line after each step. What is brought
 * back says in its environment which value it is to have.
 */
const [folder = "", image = ""] = process.argv.slice(2);
const engine = await openOn(folder, { isolation: "none", graceMs: 0 });
await engine.ready();
let fence = 0;
let value = 0;
await engine.createSecret({ name: "key", value: Buffer.from("0") });

for (let round = 0; ; round++) {
  await deploy(`old-${round}`, {});
  await update();
  const expected = String(value);
  await deploy(`new-${round}`, {});
  await update();
  const secrets = ["key"];
  const version = engine.secretsVersion("fn", { release: `old-${round}`, secrets });
  await deploy(`back-${round}`, { expected }, { [labels.secretsVersion]: version });
}

async function update(): Promise<void> {
  value++;
  await engine.updateSecret({ name: "key", value: Buffer.from(String(value)) });
  say();
}

async function deploy(
  release: string,
  envVars: Record<string, string>,
  more: Record<string, string> = {},
): Promise<void> {
  fence++;
  const given = { [labels.release]: release, [labels.fence]: String(fence), ...more };
  await engine.deploy({ service: "fn", image, envVars, labels: given, secrets: ["key"] });
  engine.keepVersions(
    "fn",
    ["old", "new", "back"].map((kind) => ({
      ...{ name: `fn--${kind}`, release: `${kind}-${release.split("-")[1]}`, fence },
      ...{ deployment: { service: "fn", image }, createdAt: new Date().toISOString() },
    })),
  );
  say();
}

function say(): void {
  process.stdout.write(`${fence} ${value}\n`);
}
