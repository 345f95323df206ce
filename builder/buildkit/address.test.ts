import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "ava";
import { parseBuildkitAddress } from "./address.ts";
import { readBuildkitAddress } from "./read-address.ts";

for (const [text, kind, at] of [
  ["docker-unix:///var/run/docker.sock", "docker", { path: "/var/run/docker.sock" }],
  ["unix:///run/buildkit/buildkitd.sock", "buildkitd", { path: "/run/buildkit/buildkitd.sock" }],
  ["tcp://buildkit:1234", "buildkitd", { host: "buildkit", port: 1234 }],
  ["docker-tcp://10.0.0.1:2376", "docker", { host: "10.0.0.1", port: 2376 }],
  ["tcp://[::1]:1234", "buildkitd", { host: "::1", port: 1234 }],
] as const)
  test(`${text} is an address of ${kind}`, (t) => {
    t.deepEqual(parseBuildkitAddress(text), { kind, url: text, at });
  });

for (const text of [
  "",
  "/var/run/docker.sock",
  "unix://",
  "unix://host/path",
  "tcp://host",
  "http://a:1",
])
  test(`"${text}" is refused`, (t) => {
    t.throws(() => parseBuildkitAddress(text), { message: /is no address of BuildKit; expected/ });
  });

for (const [what, env, url] of [
  ["nothing set", {}, "docker-unix:///var/run/docker.sock"],
  ["DOCKER_HOST", { DOCKER_HOST: "unix:///run/d.sock" }, "docker-unix:///run/d.sock"],
  ["buildkit_url", { DOCKER_HOST: "unix:///x", buildkit_url: "tcp://b:1234" }, "tcp://b:1234"],
] as const)
  test(`with ${what} BuildKit is at ${url}`, (t) => {
    t.is(readBuildkitAddress(env).url, url);
  });

test("certificates are read from their folder, and one that is missing is named", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "ofc-certs-"));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const env = { buildkit_url: "tcp://b:1234", buildkit_tls_folder: folder };
  for (const name of ["ca", "cert"]) writeFileSync(join(folder, `${name}.pem`), name);

  t.throws(() => readBuildkitAddress(env), { message: /key\.pem/ });
  writeFileSync(join(folder, "key.pem"), "key");

  t.deepEqual(readBuildkitAddress(env).tls, { ca: "ca", cert: "cert", key: "key" });
});
