/** Writes the parts of documents that are made from the daemon's tables: `npm run tables`. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { repositoryRoot } from "../support/repository.js";
import { written } from "./tables.js";

for (const { file, due } of written()) writeFileSync(join(repositoryRoot, file), due);
