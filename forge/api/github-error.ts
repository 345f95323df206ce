import type { ContentfulStatusCode } from "hono/utils/http-status";

/** A refusal in GitHub's shape: `{"message", "documentation_url", "status", "errors"?}`. */
export class GithubError extends Error {
  override readonly name = "GithubError";
  readonly status: ContentfulStatusCode;
  readonly errors: readonly string[] | undefined;

  constructor(status: ContentfulStatusCode, message: string, errors?: readonly string[]) {
    super(message);
    this.status = status;
    this.errors = errors;
  }

  toResponse(): Response {
    return Response.json(
      {
        message: this.message,
        ...(this.errors === undefined ? {} : { errors: this.errors }),
        documentation_url: "https://docs.github.com/rest",
        status: String(this.status),
      },
      { status: this.status },
    );
  }
}

/** The same for "not there" and "not yours". */
export function notFound(): GithubError {
  return new GithubError(404, "Not Found");
}

export function unprocessable(...errors: string[]): GithubError {
  return new GithubError(422, `Validation Failed: ${errors.join("; ")}`, errors);
}
