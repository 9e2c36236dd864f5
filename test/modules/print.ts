/**
 * `npm run modules [-- FOLDER]`: prints the modules of daemon/program/ and similar folders, with their numbers of files
 * and the modules that they import. Then it prints the largest folders.
 */
import { arrows, DIRECT_FILES, folderSizes, MODULE_FOLDERS, modulesOfReadme, sizes } from "./modules.js";

const LARGEST = 10;
const wanted = process.argv.slice(2);
const selected = MODULE_FOLDERS.filter((parent) => wanted.length === 0 || wanted.includes(parent));
if (selected.length === 0) {
  console.error(
    `No folder named ${wanted.join(" or ")} has a table of modules. These folders have one: ${MODULE_FOLDERS.join(", ")}.`,
  );
  process.exit(2);
}
for (const parent of selected) print(parent);
console.log("Largest folders:");
const folders = [...folderSizes()].filter(([folder]) => !/^(test|bench)\b/.test(folder));
for (const [folder, files] of folders.sort(([, one], [, other]) => other - one).slice(0, LARGEST))
  console.log(`  ${folder.padEnd(34)}${String(files).padStart(4)} files`);

function print(parent: string): void {
  const dependencies = arrows(parent);
  const counts = sizes(parent);
  const table = [...modulesOfReadme(parent).keys()];
  const modules = [...table, ...[...counts.keys()].filter((module) => !table.includes(module))];
  const rank = (module: string) => modules.indexOf(module);

  let count = 0;
  let up = 0;
  console.log(`${parent}/`);
  for (const module of modules) {
    const imported = [...(dependencies.get(module)?.keys() ?? [])].sort(
      (one, other) => rank(one) - rank(other),
    );
    count += imported.length;
    up += imported.filter((other) => rank(other) >= rank(module)).length;
    const name = module === DIRECT_FILES ? "(directly in it)" : module;
    console.log(
      `  ${name.padEnd(24)}${String(counts.get(module) ?? 0).padStart(4)} files   ${imported.join(", ")}`,
    );
  }

  console.log(`  ${modules.length} modules, ${count} dependencies, ${up} of them upwards\n`);
}
