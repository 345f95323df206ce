import test from "ava";
import { parseBuildkitAddress } from "./address.ts";

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
