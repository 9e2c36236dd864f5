/** Writes docs/commands.md: `npm run commands-page`. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { repositoryRoot } from "../support/repository.js";
import { commandsPage, PAGE } from "./page.js";

writeFileSync(join(repositoryRoot, PAGE), commandsPage());
