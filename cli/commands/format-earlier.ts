/** That a function serves with secrets' values of before, and what ends it. */
export function formatEarlier(name: string, secrets: readonly string[]): string {
  return `${name} serves with earlier values of ${secrets.join(", ")}, until a push changes it or they are updated.`;
}
