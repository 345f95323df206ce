import type { ForgeSettings } from "../settings.ts";

/** Configuration of every git process of the forge, over whatever a repository's own file says. */
export function gitConfig(
  hooksFolder: string,
  settings: Pick<ForgeSettings, "maxPushBytes">,
): Record<string, string> {
  return {
    // The forge alone makes the folders; who owns them on disk says nothing.
    "safe.directory": "*",
    "core.hooksPath": hooksFolder,
    // Nothing that a repository or this machine holds is run, followed or obeyed.
    "core.fsmonitor": "false",
    "core.attributesFile": "/dev/null",
    "credential.helper": "",
    "submodule.recurse": "false",
    // An accepted push survives power loss: refs and objects reach the disk before the answer.
    "core.fsync": "committed",
    "core.fsyncMethod": "batch",
    // Each move of a branch is in its log, whatever becomes of the hook; a day is longer than anybody fails to look.
    "core.logAllRefUpdates": "true",
    "gc.reflogExpire": "1.day",
    "gc.reflogExpireUnreachable": "1.day",
    "http.receivepack": "true",
    "http.getanyfile": "false",
    "receive.maxInputSize": String(settings.maxPushBytes),
    "receive.denyNonFastForwards": "false",
    "receive.denyDeleteCurrent": "refuse",
    "receive.autogc": "false",
    "receive.updateServerInfo": "false",
    "receive.advertisePushOptions": "false",
    // What a push says of a shallow clone's edges would become this repository's.
    "receive.shallowUpdate": "false",
    // Hostile trees (".git" entries, broken .gitmodules) stay out; old harmless faults are let in, as on GitHub.
    "receive.fsckObjects": "true",
    "receive.fsck.zeroPaddedFilemode": "ignore",
    "receive.fsck.missingSpaceBeforeEmail": "ignore",
    "receive.fsck.missingEmail": "ignore",
    "receive.fsck.badTimezone": "ignore",
    "transfer.advertiseSID": "false",
    "transfer.bundleURI": "false",
    // The pipeline fetches a commit by its id, also when a force-push has replaced it meanwhile.
    "uploadpack.allowAnySHA1InWant": "true",
    "uploadpack.allowFilter": "true",
    "gc.auto": "1000",
    "gc.autoDetach": "false",
    "maintenance.auto": "false",
    "pack.threads": "1",
  };
}
