/** Builds the site: installs its packages if they are missing or outdated, then runs VitePress. */
import { spawnSync } from "node:child_process";
import { existsSync, statSync } from "node:fs";
import { fileURLToPath } from "node:url";

const folder = fileURLToPath(new URL(".", import.meta.url));
const lockFile = `${folder}package-lock.json`;
/** The file that npm writes at the end of each installation. */
const installed = `${folder}node_modules/.package-lock.json`;

const isInstalled = existsSync(installed) && statSync(installed).mtimeMs >= statSync(lockFile).mtimeMs;
if (!isInstalled) npm("ci", "--no-audit", "--no-fund");
npm("run", "build", "--", ...process.argv.slice(2));

/** Runs npm in this folder. Exits if npm fails. */
function npm(...args) {
  const { status, error } = spawnSync("npm", ["--prefix", folder, ...args], {
    cwd: folder,
    stdio: "inherit",
    shell: process.platform === "win32",
  });
  if (status !== 0) {
    console.error(error ?? `npm ${args[0]} in site/ failed`);
    process.exit(status ?? 1);
  }
}
