/** The pages of the repository that users and developers read. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ownFiles, repositoryRoot } from "./repository.js";

/** The paths of the pages, except decisions, and READMEs of inner folders. */
export const documents: readonly string[] = ownFiles().filter((name) =>
  /^([^/]+|docs\/[^/]+|[a-z]+\/README)\.md$/.test(name),
);

/** Returns the text of a page. @param name  its path from the root of the repository */
export const readDocument = (name: string): string => readFileSync(join(repositoryRoot, name), "utf8");
