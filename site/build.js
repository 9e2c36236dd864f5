/** Builds the site: installs what it is made with if that is missing or old, then runs VitePress. */
import { spawnSync } from "node:child_process";
import { existsSync, statSync } from "node:fs";
import { fileURLToPath } from "node:url";

const here = fileURLToPath(new URL(".", import.meta.url));
const lockFile = `${here}package-lock.json`;
/** Written by npm at the end of each installation. */
const installed = `${here}node_modules/.package-lock.json`;

const isInstalled = existsSync(installed) && statSync(installed).mtimeMs >= statSync(lockFile).mtimeMs;
if (!isInstalled) npm("ci", "--no-audit", "--no-fund");
npm("run", "build", "--", ...process.argv.slice(2));

/** Runs npm in this folder, and ends this program if it fails. */
function npm(...args) {
  const { status, error } = spawnSync("npm", ["--prefix", here, ...args], {
    cwd: here,
    stdio: "inherit",
    shell: process.platform === "win32",
  });
  if (status !== 0) {
    console.error(error ?? `npm ${args[0]} in site/ failed`);
    process.exit(status ?? 1);
  }
}
