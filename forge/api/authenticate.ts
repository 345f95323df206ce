import { type CryptoKey, importSPKI, jwtVerify } from "jose";
import { describe } from "#sdk/errors.ts";
import { readBasic } from "../git/read-credentials.ts";
import type { InstallationToken, InstallationTokens } from "../store/installation-tokens.ts";
import type { User, Users } from "../store/users.ts";
import { GithubError } from "./github-error.ts";

/** Who calls the API. */
export type Caller =
  | { readonly kind: "app" }
  | { readonly kind: "installation"; readonly user: User; readonly token: InstallationToken }
  | { readonly kind: "user"; readonly user: User };

export type AuthenticateTools = {
  readonly users: Users;
  readonly installationTokens: InstallationTokens;
  readonly appId: number;
  readonly appPublicKeyPem: string;
  readonly now: () => number;
};

/** GitHub's limits for an App's JWT: ten minutes of life, and clocks that differ a little. */
const LONGEST_LIFE_S = 600;
const CLOCK_S = 60;

/** Tell who sent a request by its Authorization header; throws 401 otherwise. */
export async function createAuthenticate(tools: AuthenticateTools) {
  const { users, installationTokens, appId, appPublicKeyPem, now } = tools;
  const key = await importSPKI(appPublicKeyPem, "RS256");

  return async function authenticate(header: string | null): Promise<Caller> {
    if (header === null) throw new GithubError(401, "Requires authentication");
    const token =
      /^(?:token|bearer) (\S{1,4000})$/i.exec(header)?.[1] ?? readBasic(header)?.password;
    if (token === undefined) throw new GithubError(401, "Bad credentials");
    return token.split(".").length === 3 ? authenticateApp(token) : authenticateToken(token);
  };

  function authenticateToken(token: string): Caller {
    const user = users.findUserByToken(token);
    if (user !== undefined) return { kind: "user", user };
    const found = installationTokens.find(token);
    const installed = found && users.findUserById(found.userId);
    if (found === undefined || installed === undefined)
      throw new GithubError(401, "Bad credentials");
    return { kind: "installation", user: installed, token: found };
  }

  async function authenticateApp(jwt: string): Promise<Caller> {
    const { iss, exp = 0, iat = 0 } = await verify(jwt, key, new Date(now()));
    // Octokit writes the id as a number, other clients as a text.
    if (String(iss) !== String(appId))
      throw new GithubError(401, `'Issuer' claim ('iss') must be the App ID, ${appId}`);
    const nowS = now() / 1000;
    if (exp > nowS + LONGEST_LIFE_S || exp - iat > LONGEST_LIFE_S + CLOCK_S)
      throw new GithubError(401, "'Expiration time' claim ('exp') is too far in the future");
    return { kind: "app" };
  }
}

async function verify(jwt: string, key: CryptoKey, currentDate: Date) {
  try {
    const { payload } = await jwtVerify(jwt, key, {
      algorithms: ["RS256"],
      requiredClaims: ["iss", "iat", "exp"],
      clockTolerance: CLOCK_S,
      currentDate,
    });
    return payload;
  } catch (error) {
    throw new GithubError(401, `A JSON web token could not be verified: ${describe(error)}`);
  }
}
