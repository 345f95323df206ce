import { BLANK_DATABASE, makeDatabase } from "./make-database.ts";

// Run by the launcher after it has installed the packages.
await makeDatabase(BLANK_DATABASE);
