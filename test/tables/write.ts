/** `npm run tables`: writes the documents, and the parts of code, that are generated from the daemon's tables. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { repositoryRoot } from "../support/repository.js";
import { writeMeanings } from "./semantics.js";
import { written } from "./tables.js";

for (const { file, expected } of written()) writeFileSync(join(repositoryRoot, file), expected);
writeMeanings();
