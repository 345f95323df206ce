import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "ava";
import { dockerMissing, startDocker } from "../../test/helpers/start-docker.ts";
import { parseBuildkitAddress } from "./address.ts";
import { openBuildkit } from "./open-buildkit.ts";
import { BASE, imageBuild, openTestBuildkit, printed, showOverTls } from "./test-buildkit.ts";

const missing =
  dockerMissing ??
  (spawnSync("openssl", ["version"]).error === undefined ? undefined : "openssl is not installed");
if (missing !== undefined) test.skip(`BuildKit over TLS is not tested: ${missing}`, () => {});
const tlsTest = missing === undefined ? test.serial : test.skip;

const folder = mkdtempSync(join(tmpdir(), "ofc-tls-"));
test.after.always(() => rmSync(folder, { recursive: true, force: true }));

tlsTest(
  "a daemon behind TLS is used with a client certificate, and by nobody without one",
  async (t) => {
    const there = await openTestBuildkit(await startDocker(t));
    const ca = sign("ca");
    const server = sign("server", "ca");
    const client = sign("client", "ca");
    const port = await showOverTls(t, there, { ...server, ca: ca.cert, requestCert: true });
    const url = `tcp://127.0.0.1:${port}`;
    const Dockerfile = `FROM ${BASE}\nRUN echo private\n`;
    const build = imageBuild({ Dockerfile });

    await openBuildkit(parseBuildkitAddress(url, { ...client, ca: ca.cert })).build(build);

    t.is(printed(build.events), "private\n");
    for (const tls of [
      undefined,
      { ca: ca.cert },
      { ...sign("client", "server"), ca: ca.cert },
      client,
    ])
      t.like(await t.throwsAsync(openBuildkit(parseBuildkitAddress(url, tls)).listWorkers()), {
        status: 503,
      });
  },
);

/** A key and its certificate for 127.0.0.1, signed by another one made here or by itself. */
function sign(name: string, by?: string): { readonly key: string; readonly cert: string } {
  const at = (file: string) => join(folder, file);
  const extensions = at(`${name}.ext`);
  writeFileSync(extensions, "subjectAltName=IP:127.0.0.1\nbasicConstraints=CA:TRUE\n");
  const openssl = (...args: string[]) => execFileSync("openssl", args, { stdio: "ignore" });
  const request = ["req", "-new", "-newkey", "rsa:2048", "-nodes", "-subj", `/CN=${name}`];
  openssl(...request, "-keyout", at(`${name}.key`), "-out", at(`${name}.csr`));
  const issuer =
    by === undefined
      ? ["-signkey", at(`${name}.key`)]
      : ["-CA", at(`${by}.crt`), "-CAkey", at(`${by}.key`), "-CAcreateserial"];
  const certificate = ["x509", "-req", "-in", at(`${name}.csr`), "-out", at(`${name}.crt`)];
  openssl(...certificate, "-days", "2", "-extfile", extensions, ...issuer);
  const read = (file: string) => readFileSync(at(file), "utf8");
  return { key: read(`${name}.key`), cert: read(`${name}.crt`) };
}
