/**
 * The last step of a build. The programs of package.json's "bin" become executable, as npx expects them; and what was compiled
 * from files that are gone, or have moved, goes too: tests would run from there for ever.
 */
import { chmodSync, existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { buildRoot, repositoryRoot } from "./repository.js";

const manifest = JSON.parse(readFileSync(join(repositoryRoot, "package.json"), "utf8")) as {
  bin: Record<string, string>;
};
for (const program of Object.values(manifest.bin)) chmodSync(join(repositoryRoot, program), 0o755);

for (const file of readdirSync(buildRoot, { recursive: true, encoding: "utf8" })) {
  const source = file.replace(/(\.d\.ts|\.js)$/, ".ts");
  if (source !== file && !existsSync(join(repositoryRoot, source))) rmSync(join(buildRoot, file));
}
