/** Answers for a git client, which shows a plain text as `remote:` lines when the first request fails. */
function answer(status: number, text: string, headers: Readonly<Record<string, string>> = {}) {
  return new Response(`${text}\n`, {
    status,
    headers: {
      "content-type": "text/plain; charset=utf-8",
      "cache-control": "no-cache, max-age=0, must-revalidate",
      ...headers,
    },
  });
}

/** 401 in the same words for no, a wrong and a revoked token. */
export function askForToken(): Response {
  return answer(
    401,
    "The user name or the token is missing or wrong. Sign in as the owner of the repository with a token as password; ./ofc token <owner> makes one.",
    { "www-authenticate": 'Basic realm="forge", charset="UTF-8"' },
  );
}

/** 404 in the same bytes for "not there" and "not yours". */
export function notFound(): Response {
  return answer(404, "There is no such repository, or it is not yours.");
}

export function refuse(status: number, text: string): Response {
  return answer(status, text, status === 503 ? { "retry-after": "5" } : {});
}
