import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type Env, readEnv } from "#sdk/env.ts";
import { type BuildkitAddress, type BuildkitTls, parseBuildkitAddress } from "./address.ts";

const DOCKER_SOCKET = "unix:///var/run/docker.sock";

/**
 * Where BuildKit is: `buildkit_url`, or the Docker engine of `DOCKER_HOST`. `buildkit_tls_folder` holds `ca.pem`,
 * `cert.pem` and `key.pem` as Docker names them. Throws for an address or a folder that cannot be used.
 */
export function readBuildkitAddress(env: Env): BuildkitAddress {
  const read = readEnv(env);
  const docker = `docker-${env.DOCKER_HOST || DOCKER_SOCKET}`;
  const url = read.text("buildkit_url", docker);
  const folder = read.text("buildkit_tls_folder", "");
  return parseBuildkitAddress(url, folder === "" ? undefined : readTls(folder));
}

function readTls(folder: string): BuildkitTls {
  const read = (name: string) => readFileSync(join(folder, name), "utf8");
  return { ca: read("ca.pem"), cert: read("cert.pem"), key: read("key.pem") };
}
