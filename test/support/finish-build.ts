/**
 * The last step of a build. It deletes the output of source files that were removed or renamed, and old bundles;
 * otherwise their tests would continue to run. It then bundles the remaining files, makes the programs executable, as
 * npx expects, and converts their help to manual pages.
 */
import { chmodSync, existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { makeManPages } from "../man/make-man-pages.js";
import { restoreReplaced } from "./compile-edited.js";
import { makeBrowserModule } from "./make-browser-module.js";
import { makeBundles } from "./make-bundles.js";
import { makeClientPackage } from "./make-client-package.js";
import { makeDashboard } from "./make-dashboard.js";
import { copyTypes } from "./make-types.js";
import { programPaths } from "./programs.js";
import { buildRoot, repositoryRoot } from "./repository.js";

restoreReplaced();
for (const file of readdirSync(buildRoot, { recursive: true, encoding: "utf8" })) {
  const source = file.replace(/(\.d\.c?ts|\.js|\.js\.map)$/, ".ts");
  if (source !== file && !existsSync(join(repositoryRoot, source))) rmSync(join(buildRoot, file));
}
await makeBundles();
await makeBrowserModule();
await makeDashboard();
await makeManPages();
copyTypes(
  ["client/public-api", "client/browser/public-api", "daemon/program/testing"],
  join(buildRoot, "types"),
);
await makeClientPackage();
for (const program of Object.values(programPaths)) chmodSync(program, 0o755);
