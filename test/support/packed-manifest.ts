/**
 * Removes the script `prepare` from package.json while npm packs, and adds it again afterwards: `npm pack` runs this
 * file with `hide` before, and with `show` after it. In a clone, `prepare` builds. A user who installs the package has
 * nothing to build, but npm warns about each package with such a script.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const BUILD = '    "build": ';

/** The script that builds, unless `npx` links a built clone: a build replaces the files that another `npx` starts. */
const PREPARE = `${String.raw`    "prepare": "node -e \"process.exit(process.env.npm_command === 'exec' && fs.existsSync('dist/bundles') ? 0 : 1)\" || npm run build",`}\n`;

const [action] = process.argv.slice(2);
// npm runs scripts in the folder of the package.
const path = join(process.cwd(), "package.json");
const hidden = readFileSync(path, "utf8").replace(PREPARE, "");
writeFileSync(path, action === "hide" ? hidden : shown(hidden));

function shown(manifest: string): string {
  const at = manifest.indexOf("\n", manifest.indexOf(BUILD)) + 1;
  return manifest.slice(0, at) + PREPARE + manifest.slice(at);
}
