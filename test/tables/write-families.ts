/**
 * The first part of `npm run tables`: writes the rows of the families whose code belongs to a face. The other parts use
 * the command table that contains these rows, so that the build must be made again after a change.
 */
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { repositoryRoot } from "../support/repository.js";
import { currentRows, FAMILY_ROWS_FILE, familyRows } from "./family-rows.js";

const rows = familyRows();
if (rows !== currentRows()) {
  writeFileSync(join(repositoryRoot, FAMILY_ROWS_FILE), rows);
  execFileSync("npm", ["run", "-s", "build"], { cwd: repositoryRoot, stdio: "inherit" });
}
