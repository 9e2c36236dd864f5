/** The last step of a build: the programs of package.json's "bin" become executable, as npx expects them. */
import { chmodSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { repositoryRoot } from "./repository.js";

const manifest = JSON.parse(readFileSync(join(repositoryRoot, "package.json"), "utf8")) as {
  bin: Record<string, string>;
};
for (const program of Object.values(manifest.bin)) chmodSync(join(repositoryRoot, program), 0o755);
