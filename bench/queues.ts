import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

/** Every queue that this machine can run, and the variables that choose it. */
export function listQueues(): readonly {
  readonly name: string;
  readonly env: Record<string, string>;
}[] {
  const embedded = { name: "embedded queue", env: { queue_backend: "embedded" } };
  return isOnPath("redis-server")
    ? [{ name: "Redis", env: { queue_backend: "auto" } }, embedded]
    : [embedded];
}

function isOnPath(program: string): boolean {
  return (process.env.PATH ?? "").split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      // Not in this folder.
      return false;
    }
  });
}
