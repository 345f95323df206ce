export type Credentials = { readonly user: string; readonly password: string };

/** User and password of a Basic header; `undefined` when there is none that can be read. */
export function readBasic(header: string | null): Credentials | undefined {
  const encoded = /^Basic ([A-Za-z0-9+/=]{1,2000})$/i.exec(header ?? "")?.[1];
  if (encoded === undefined) return undefined;
  const text = Buffer.from(encoded, "base64").toString("utf8");
  const colon = text.indexOf(":");
  return colon < 0 ? undefined : { user: text.slice(0, colon), password: text.slice(colon + 1) };
}
