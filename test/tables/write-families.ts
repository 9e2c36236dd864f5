/**
 * The first step of `npm run tables`: generates the command rows of the families whose code belongs to a face
 * (FAMILY_ROWS_FILE). If they changed, it builds again, because the next steps load the command table that includes
 * them.
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
