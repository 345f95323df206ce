/** Most characters GitHub takes as the text of a check run. */
const TEXT_LIMIT = 65_535;

/** A build log as a fenced block, cut from the front with a note when it is too long for a check run. */
export function formatLogText(log: string, limit = TEXT_LIMIT): string {
  if (log === "") return "";
  const fence = fenceFor(log);
  const whole = fenced(log, fence, "");
  if (whole.length <= limit) return whole;
  const note = `The log has ${log.length} characters, more than the ${limit} that fit; this is its end.\n`;
  const room = limit - fenced("", fence, note).length;
  return fenced(dropHalfCharacter(log.slice(-room)), fence, note);
}

/** Longer than any run of backticks inside, so that no line of a log closes the block. */
function fenceFor(log: string): string {
  const longest = Math.max(2, ...[...log.matchAll(/`{3,}/g)].map(([run]) => run.length));
  return "`".repeat(Math.min(longest + 1, 1_000));
}

function fenced(text: string, fence: string, note: string): string {
  return `${note}\n${fence}shell\n${text}\n${fence}\n`;
}

function dropHalfCharacter(text: string): string {
  return /^[\udc00-\udfff]/.test(text) ? text.slice(1) : text;
}
