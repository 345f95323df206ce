import { randomUUID } from "node:crypto";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { describe } from "#sdk/errors.ts";
import { type AdminClient, connectAdmin } from "../admin-client.ts";
import type { CommandContext } from "../context.ts";
import { pushFolder } from "../git/push-folder.ts";
import { readGitVersion } from "../platform/git-version.ts";
import { BUILDS } from "../views.ts";

const OWNER = "ofc-doctor";
const SERVICE = `${OWNER}-canary`;
const TOKEN = z.object({ owner: z.string(), token: z.string() });

type Finding = {
  readonly step: string;
  readonly ok: boolean;
  readonly ms: number;
  readonly reason?: string;
};

/** Push a canary function through the whole road; the first step that fails is named, with its reason. */
export async function doctor({ terminal, options, note, env }: CommandContext): Promise<void> {
  const findings: Finding[] = [];
  const admin = await connectAdmin(options.data);
  const { warning } = await readGitVersion(env.PATH);
  if (warning !== undefined) note(warning);
  const folder = await mkdtemp(join(tmpdir(), "ofc-doctor-"));
  try {
    for (const [step, check] of stepsOf(admin, folder)) {
      const finding = await examine(step, check);
      findings.push(finding);
      if (!options.json) {
        const mark = finding.ok ? terminal.good("ok  ") : terminal.bad("FAIL");
        terminal.line(
          `${mark} ${step} ${terminal.dim(`${finding.ms} ms`)}${finding.reason === undefined ? "" : `\n     ${finding.reason}`}`,
        );
      }
      if (!finding.ok) break;
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
    await admin.post("/remove", { target: SERVICE }, z.unknown()).catch(() => undefined);
  }

  if (options.json) terminal.json(findings);
  const failed = findings.find(({ ok }) => !ok);
  if (failed !== undefined)
    throw new Error(`${failed.step} failed; the lines above and the platform's log say why.`);
  if (!options.json) terminal.line(terminal.good("The whole road works."));
}

function stepsOf(
  admin: AdminClient,
  folder: string,
): readonly (readonly [string, () => Promise<void>])[] {
  const { url } = admin.running;
  const answer = randomUUID();
  return [
    ["gateway answers", () => expectText(new URL("healthz", url), undefined)],
    ["queue answers", async () => void (await admin.get("/queue", z.unknown()))],
    ["git push of a canary builds and deploys", () => pushCanary(admin, folder, answer)],
    [
      "the canary answers through the gateway",
      () => expectText(new URL(`function/${SERVICE}`, url), answer),
    ],
    ["a queued call of it is taken", () => callLater(url)],
    ["the commit's status is final", () => expectLive(admin)],
  ];
}

async function examine(step: string, check: () => Promise<void>): Promise<Finding> {
  const started = performance.now();
  try {
    await check();
    return { step, ok: true, ms: Math.round(performance.now() - started) };
  } catch (error) {
    return {
      step,
      ok: false,
      ms: Math.round(performance.now() - started),
      reason: describe(error),
    };
  }
}

async function pushCanary(admin: AdminClient, folder: string, answer: string): Promise<void> {
  await mkdir(join(folder, "canary"));
  await writeFile(
    join(folder, "stack.yml"),
    "version: 1.0\nprovider:\n  name: openfaas\nfunctions:\n  canary:\n    lang: node24\n    handler: ./canary\n    image: canary\n",
  );
  await writeFile(
    join(folder, "canary/handler.js"),
    `module.exports = async () => ${JSON.stringify(answer)};\n`,
  );
  const token = await admin.post("/tokens", { owner: OWNER }, TOKEN);
  const { ok, output } = await pushFolder(folder, admin.running.url, "canary", token, () => {});
  if (!ok || !/live in /.test(output)) throw new Error(`git said:\n${output}`);
}

async function expectText(url: URL, wanted: string | undefined): Promise<void> {
  const response = await fetch(url, { signal: AbortSignal.timeout(10_000) });
  const text = await response.text();
  if (!response.ok)
    throw new Error(`${url.href} answered ${response.status}: ${text.slice(0, 200)}`);
  if (wanted !== undefined && text.trim() !== wanted)
    throw new Error(`${url.href} answered ${text.slice(0, 200)}, not ${wanted}`);
}

async function callLater(url: string): Promise<void> {
  const response = await fetch(new URL(`async-function/${SERVICE}`, url), {
    method: "POST",
    signal: AbortSignal.timeout(10_000),
  });
  if (response.status !== 202)
    throw new Error(
      `/async-function/${SERVICE} answered ${response.status}: ${await response.text()}`,
    );
}

async function expectLive(admin: AdminClient): Promise<void> {
  const [build] = await admin.get(`/builds?owner=${OWNER}&limit=1`, BUILDS);
  if (build?.state !== "live")
    throw new Error(`The canary's build is ${build?.state ?? "unknown"}: ${build?.reason ?? ""}`);
}
