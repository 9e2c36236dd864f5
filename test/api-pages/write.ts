/** Writes docs/api: `npm run api-pages`. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { repositoryRoot } from "../support/repository.js";
import { apiPage, FOLDER, PAGES } from "./page.js";

const folder = join(repositoryRoot, FOLDER);
mkdirSync(folder, { recursive: true });
for (const page of PAGES) writeFileSync(join(folder, page.file), apiPage(page));
