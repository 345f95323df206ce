import { HttpError } from "#sdk/errors.ts";

/** Why a commit could not be brought here. */
export type FetchFailure =
  | "commit-gone"
  | "repository-gone"
  | "no-access"
  | "bad-url"
  | "bad-objects"
  | "too-large"
  | "timed-out"
  | "disk-full"
  | "unreachable"
  | "broken";

const STATUSES: Readonly<Record<FetchFailure, number>> = {
  "commit-gone": 404,
  "repository-gone": 404,
  "no-access": 403,
  "bad-url": 400,
  "bad-objects": 400,
  "too-large": 413,
  "timed-out": 504,
  "disk-full": 507,
  unreachable: 502,
  broken: 500,
};
const RETRYABLE: ReadonlySet<FetchFailure> = new Set([
  "timed-out",
  "disk-full",
  "unreachable",
  "broken",
]);

/** A fetch or read of a mirror that failed; `failure` is also the HTTP code, `retryable` whether time may mend it. */
export class FetchError extends HttpError {
  readonly failure: FetchFailure;
  readonly retryable: boolean;

  constructor(failure: FetchFailure, message: string, options?: ErrorOptions) {
    super(STATUSES[failure], failure, message, options);
    this.failure = failure;
    this.retryable = RETRYABLE.has(failure);
  }
}

/** The commit is not at its source any more: a force-push took it away. Never answered with another commit. */
export class CommitGone extends FetchError {
  constructor(sha: string) {
    super(
      "commit-gone",
      `commit ${sha.slice(0, 7)} is gone at its source; a force-push replaced it`,
    );
  }
}

/** What git's error output means, first match wins. Source: git's own texts under LC_ALL=C, and curl's. */
const MEANINGS: readonly (readonly [RegExp, FetchFailure, string])[] = [
  [/not our ref|couldn't find remote ref|no such remote ref/i, "commit-gone", ""],
  [
    /fsck error|unpack-objects .*failed.*strict|exceeds? (?:the )?limit|attempting to allocate/i,
    "bad-objects",
    "the commit holds objects that git refuses",
  ],
  [/No space left|Disk quota/i, "disk-full", "the disk is full"],
  [
    /returned error: 404|repository '.*' not found|Repository not found|does not appear to be a git repository/i,
    "repository-gone",
    "the repository is not there, or the platform may not read it; is the App still installed?",
  ],
  [
    // The helper that hands it over was killed, which says nothing of the credential.
    /unable to read askpass response/i,
    "unreachable",
    "git could not be given the platform's credential",
  ],
  [
    /Authentication failed|could not read (Username|Password)|returned error: 40[13]|Invalid (credentials|username)/i,
    "no-access",
    "the source refused the platform's credential; is the App still installed?",
  ],
  [
    /unable to update url base from redirection|returned error: 3\d\d/i,
    "bad-url",
    "the source redirected elsewhere, which is not followed; was the repository renamed?",
  ],
  [
    /Could not resolve|Failed to connect|Connection|unable to access|RPC failed|early EOF|hung up|timed? ?out|SSL|TLS|returned error: [45]\d\d|HTTP\/2|too slow|bytes\/sec/i,
    "unreachable",
    "the source cannot be reached",
  ],
];

/** Turn git's end into a typed failure; what is not recognised is taken for a broken mirror. */
export function toFetchError(stderr: string, sha: string, secret: string | undefined): FetchError {
  const said = mask(lastLines(stderr), secret);
  const [, failure, meaning] = MEANINGS.find(([pattern]) => pattern.test(stderr)) ?? [
    undefined,
    "broken" as const,
    "git failed in the mirror",
  ];
  if (failure === "commit-gone") return new CommitGone(sha);
  return new FetchError(failure, meaning, { cause: new Error(said) });
}

function lastLines(stderr: string): string {
  return stderr.trim().split("\n").slice(-5).join(" | ").slice(-1_000);
}

/** git does not print passwords; this holds when a server or proxy echoes one. */
function mask(text: string, secret: string | undefined): string {
  return secret === undefined || secret === "" ? text : text.replaceAll(secret, "***");
}
