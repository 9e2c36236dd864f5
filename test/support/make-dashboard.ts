/**
 * Makes the files of the dashboard that --admin serves, in `dashboard/` of the build: one script, one style sheet and
 * the page.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";
import { buildRoot, repositoryRoot } from "./repository.js";

const source = join(repositoryRoot, "tools/admin/dashboard");

export const dashboardFolder = join(buildRoot, "dashboard");

export async function makeDashboard(): Promise<void> {
  await build({
    entryPoints: [join(source, "dashboard.ts"), join(source, "dashboard.css")],
    outdir: dashboardFolder,
    bundle: true,
    minify: true,
    format: "esm",
    platform: "browser",
    // The first versions that support light-dark().
    target: ["chrome123", "firefox120", "safari17.5"],
    logLevel: "warning",
  });
  mkdirSync(dashboardFolder, { recursive: true });
  const html = readFileSync(join(source, "index.html"), "utf8");
  writeFileSync(join(dashboardFolder, "index.html"), html.replace(/\n\s*/g, "\n"));
  for (const icon of ["icon.svg", "icon-warn.svg", "icon-bad.svg"])
    writeFileSync(join(dashboardFolder, icon), readFileSync(join(source, icon)));
}
