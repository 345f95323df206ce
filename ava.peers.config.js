/** Against programs of other houses, which no machine needs; Go builds them: `npm run peers`. */
// biome-ignore lint/style/noDefaultExport: AVA reads it so
export default {
  extensions: ["ts"],
  files: ["**/*.peer.test.ts"],
  timeout: "3m",
  workerThreads: false,
};
