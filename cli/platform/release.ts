/** What `/system/info` and `ofc --version` say of this tree. */
export const RELEASE = { release: "0.1.0", sha: "source" } as const;
