import {
  createNonceMemory,
  type PayloadKey,
  type SignedCall,
  verifyCall,
} from "#sdk/internal-signature.ts";
import type { Call } from "./call.ts";

/** Throws the reason unless the call carries a fresh internal signature over its delivered path. */
export type VerifyInternal = (call: Call) => void;

export function createVerifyInternal(keys: readonly PayloadKey[]): VerifyInternal {
  const nonces = createNonceMemory();
  return (call) => verifyCall(toSignedCall(call), keys, nonces);
}

function toSignedCall({ request, path }: Call): SignedCall {
  const get = (name: string): string | null => {
    const value = request.headers[name];
    return typeof value === "string" ? value : null;
  };
  return { method: request.method ?? "", path, headers: { get } };
}
