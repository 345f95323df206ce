import { parseDockerignore } from "../../../functions/git-tar/dockerignore.ts";
import { StackError } from "../../../functions/git-tar/stack-error.ts";
import { orRefusal, type Parser, promise, toText } from "../parser.ts";

/** More would only wait for the limit on work, under coverage a second and more; dockerignore.test.ts reaches it. */
const MOST_PATHS = 100;

/** Rules, a line of `--`, and paths to match, one a line. */
export const dockerignore: Parser = {
  dictionary:
    "*|**|?|!|#|/|\\|[a-z]|[^a]|[!a]|[|]|-|.|..|a|b|node_modules|**/|/**|*.log|\n|\r\n|\n--\n| |\t|\uFEFF|\u0000|é|*a*a*a*b".split(
      "|",
    ),
  read(input) {
    const [rules = "", list = ""] = toText(input).split("\n--\n", 2);
    const paths = list.split("\n", MOST_PATHS);
    return orRefusal(
      () => {
        const ignores = parseDockerignore(rules);
        const left = paths.map(ignores);
        if (input.length < 2_000) {
          const again = parseDockerignore(rules);
          const nothing = parseDockerignore(`${rules}\n!**`);
          for (const [index, path] of paths.entries()) {
            promise(again(path) === left[index], `"${path}" is matched the same twice`);
            promise(!nothing(path), `"${path}" is kept when all is taken back at the end`);
          }
        }
        return `${left.includes(true)} ${left.includes(false)}`;
      },
      (error) => (error instanceof StackError ? "too long" : undefined),
    );
  },
};
