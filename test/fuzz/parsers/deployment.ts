import { HttpError } from "#sdk/errors.ts";
import { deploymentBody } from "../../../provider/parse-deployment.ts";
import { readBody } from "../../../provider/read-body.ts";
import { type Parser, promise } from "../parser.ts";

/** The body of a deploy call, as faas-cli or a stranger with credentials sends it. */
export const deployment: Parser = {
  dictionary: [
    ...'{|}|[|]|:|,|"|null|true|-1|1e999|"service":|"image":|"namespace":|"envVars":|"labels":|"annotations":|"limits":|"requests":|"memory":|"cpu":|"secrets":|"constraints":|"readOnlyRootFilesystem":'.split(
      "|",
    ),
    ...'"1e9Gi"|"-1"|"NaN"|"openfaas-fn"|"openfaas-system"|"LD_PRELOAD"|"__proto__"|"A=B"|"\\u0000"|"\\ud800"|"../x"|"a"'.split(
      "|",
    ),
  ],
  async read(input) {
    const body = Buffer.from(input);
    try {
      const read = await readBody(
        new Request("http://provider/", { method: "POST", body }),
        deploymentBody,
      );
      promise(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/.test(read.service), "a service is a DNS label");
      promise(!read.namespace || read.namespace === "openfaas-fn", "the namespace is the users'");
      for (const name of Object.keys(read.envVars ?? {}))
        promise(/^[A-Za-z_]\w*$/.test(name) && !name.startsWith("LD_"), `"${name}" may be set`);
      promise(Object.getPrototypeOf(read) === Object.prototype, "no prototype is changed");
      return `taken ${Object.keys(read).length}`;
    } catch (error) {
      if (!(error instanceof HttpError) || error.status >= 500) throw error;
      return `${error.status} ${error.message.split(/[.:]/)[0]?.slice(0, 30)}`;
    }
  },
};
