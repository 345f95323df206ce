/** Name of the entry that holds a build's sealed secrets, beside `context/`. */
export const SECRETS_ENTRY = "com.openfaas.secrets";
export const SECRETS_LIMIT_BYTES = 1024 * 1024;
