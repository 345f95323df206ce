import { parseStack } from "../../../functions/git-tar/parse-stack.ts";
import { StackError } from "../../../functions/git-tar/stack-error.ts";
import { orRefusal, type Parser, promise, toText } from "../parser.ts";

const OPTIONS = { ownerSlug: "alice", dockerfile: true };

/** A `stack.yml`. */
export const stack: Parser = {
  dictionary: [
    "version: 1.0\n",
    "provider:\n  name: openfaas\n",
    "functions:\n",
    "  cart:\n    lang: node24\n    handler: ./cart\n",
    ..."lang: |handler: |image: |skip_build: |environment: |environment_file: |secrets: |labels: |annotations: |build_args: ".split(
      "|",
    ),
    ..."configuration: |copy: |templates: |schedule: |topic: |com.openfaas.scale.zero: |com.openfaas.health.http.path: |com.openfaas.health.http.initialDelay: |com.openfaas.retry.codes: |com.openfaas.retry.attempts: ".split(
      "|",
    ),
    ..."* * * * *|@every 5m|GO111MODULE|LD_PRELOAD|Dockerfile|__proto__|constructor|toString|null|~".split(
      "|",
    ),
    ..."&a |*a |<<: *a\n|!!str |!!js/function |? |- |-\n|: |:\n|# |---\n|...\n|%YAML 1.2\n|> |>+2\n|\\|\n".split(
      "|",
    ),
    // biome-ignore lint/suspicious/noTemplateCurlyInString: this is what a stack file may hold
    ..."${A:-|${A}|$${|}|${A:-${B:-c}}|../|/etc|./|\t|\uFEFF|\u0000|\u2028|'|\"|{|}|[|]|,|\n|\r\n|    |  ".split(
      "|",
    ),
  ],
  read: (input) =>
    orRefusal(
      () => {
        const { functions, copy, notes } = parseStack(toText(input), OPTIONS);
        promise(functions.length > 0, "a stack has functions");
        for (const fn of functions) {
          promise(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/.test(fn.name), `"${fn.name}" is a DNS label`);
          for (const path of [fn.handler, ...fn.environmentFiles, ...copy])
            promise(
              !path.startsWith("/") && !path.split("/").includes(".."),
              `"${path}" is inside the repository`,
            );
          for (const [name, value] of Object.entries(fn.environment))
            promise(
              !/[=\n\0]/.test(name) && !value.includes("\0"),
              `"${name}" is a variable's name`,
            );
          promise(
            fn.secrets.every((name) => /^[-a-z0-9]+$/.test(name)),
            "secrets are DNS labels",
          );
        }
        promise(notes.length <= 100, "notes are limited");
        return `${functions.length} functions, ${notes.length} notes`;
      },
      (error) => (error instanceof StackError ? firstWords(error.message) : undefined),
    ),
};

/** The rule that refused, without what was written. */
function firstWords(message: string): string {
  return message
    .replace(/"(?:[^"\\]|\\.)*"?/g, "…")
    .replace(/^functions\.\S+/, "functions")
    .slice(0, 60)
    .replace(/\d+/g, "N");
}
