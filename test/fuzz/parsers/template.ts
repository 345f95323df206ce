import { parseTemplateYml, TemplateError } from "#sdk/templates.ts";
import { orRefusal, type Parser, promise, toText } from "../parser.ts";

/** A `template.yml`. */
export const template: Parser = {
  dictionary: [
    "language: node24\n",
    "fprocess: node index.js\n",
    "handler_folder: function\n",
    "host:\n  command: [node, index.js]\n  install: npm\n  env: {mode: http}\n  aliases: [node]\n",
    ..."command: |install: |env: |aliases: |pip|none|..|a/b|null|~|&a |*a |<<: *a\n|!!str |? |- |---\n|> |'|\"|{|}|[|]|,|\n|: |:\n|    |\t|\uFEFF|\u0000|__proto__: ".split(
      "|",
    ),
  ],
  read: (input) =>
    orRefusal(
      () => {
        const { host, handler_folder } = parseTemplateYml(toText(input), "template.yml");
        promise(!/[/\\]|^\.\.?$/.test(handler_folder), `"${handler_folder}" is one folder`);
        promise(host === undefined || host.command.length > 0, "a host build has a command");
        return `template ${host?.install ?? ""}`;
      },
      (error) =>
        error instanceof TemplateError
          ? error.message.replace(/["'].*/s, "").slice(0, 50)
          : undefined,
    ),
};
