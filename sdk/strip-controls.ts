/** Sequences that set colours, cursor and title, and lone control characters but line ends and tabs. */
const CONTROLS =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is removed
  /\u001b\[[0-9;?]*[ -/]*[@-~]|\u001b\][^\u0007\u001b]*(?:\u0007|\u001b\\)|[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g;

/** A stranger's text without what could move the cursor or rename the window. */
export function stripControls(text: string): string {
  return text.replace(CONTROLS, "");
}
