/** This package's version. */
import { createRequire } from "node:module";

/** The package refers to itself, wherever it was built or installed. */
export const { version } = createRequire(import.meta.url)("dbsyncd/package.json") as { version: string };
