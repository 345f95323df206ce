import { parseDockerignore } from "../../../functions/git-tar/dockerignore.ts";
import { StackError } from "../../../functions/git-tar/stack-error.ts";
import { orRefusal, type Parser, promise, toText } from "../parser.ts";

/** Rules, a line of `--`, and paths to match, one a line. */
export const dockerignore: Parser = {
  dictionary:
    "*|**|?|!|#|/|\\|[a-z]|[^a]|[!a]|[|]|-|.|..|a|b|node_modules|**/|/**|*.log|\n|\r\n|\n--\n| |\t|\uFEFF|\u0000|é|*a*a*a*b".split(
      "|",
    ),
  read(input) {
    const [rules = "", paths = ""] = toText(input).split("\n--\n", 2);
    return orRefusal(
      () => {
        const ignores = parseDockerignore(rules);
        const left = paths.split("\n").map((path) => {
          const isLeft = ignores(path);
          promise(isLeft === ignores(path), `"${path}" is matched the same twice`);
          return isLeft;
        });
        const nothing = parseDockerignore(`${rules}\n!**`);
        promise(
          paths.split("\n").every((path) => !nothing(path)),
          "what is taken back at the end is kept",
        );
        return `${left.includes(true)} ${left.includes(false)}`;
      },
      (error) => (error instanceof StackError ? "too long" : undefined),
    );
  },
};
