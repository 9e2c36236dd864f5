/** Writes the manual pages of all programs to `man/` in the build folder, for the package. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { optionProgram } from "../../daemon/options/parse-options.js";
import { BUILD } from "../../daemon/program/installed-faces.js";
import { makeKeygen } from "../../keys/keygen-command.js";
import { makeProgram } from "../../tools/cli/program.js";
import { makeProxy } from "../../tools/proxy/program.js";
import { buildRoot, repositoryRoot } from "../support/repository.js";
import { manPage } from "./man-page.js";

export async function makeManPages(): Promise<void> {
  const { name, version } = JSON.parse(readFileSync(join(repositoryRoot, "package.json"), "utf8")) as {
    readonly name: string;
    readonly version: string;
  };
  const folder = join(buildRoot, "man");
  mkdirSync(folder, { recursive: true });
  const programs = [
    await makeProgram(),
    optionProgram({ faces: BUILD.faces, version, everything: true, print: () => {} }),
    makeKeygen(process),
    makeProxy(),
  ];
  for (const program of programs)
    writeFileSync(join(folder, `${program.name()}.1`), manPage(program, { source: `${name} ${version}` }));
}
