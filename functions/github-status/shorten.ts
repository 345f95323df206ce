/** GitHub refuses longer descriptions of a status. */
const DESCRIPTION_LIMIT = 140;

/** At most 140 characters, the last one an ellipsis when something was cut. */
export function shorten(text: string, limit = DESCRIPTION_LIMIT): string {
  const characters = [...text];
  return characters.length <= limit ? text : `${characters.slice(0, limit - 1).join("")}…`;
}
