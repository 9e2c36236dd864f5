/** The version of this package. */
import { createRequire } from "node:module";

/** The package resolves itself by name, wherever it was built or installed. */
export const { version } = createRequire(import.meta.url)("dbsyncd/package.json") as { version: string };
