/** Lists what the owner still has to decide or write before a publication. */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { SEMANTICS } from "../../daemon/store/semantics.js";
import { repositoryRoot } from "../support/repository.js";
import { MAINTAINER } from "./debian-package.js";
import { moduleOf } from "./go-module.js";
import { versionOf } from "./sources.js";

/** The fields by which registries link a package to its project. */
const ADDRESSES = ["repository", "bugs", "homepage"];
const SEMANTICS_FILE = "test/tables/semantics.ts";

/** @param folder  the repository, or a copy of it */
export function missingForPublication(folder: string): readonly string[] {
  const read = (name: string): string => readFileSync(join(folder, name), "utf8");
  const manifest = JSON.parse(read("package.json")) as Record<string, unknown>;
  const version = versionOf(folder);
  const absent = ADDRESSES.filter((field) => !(field in manifest));
  const section = new RegExp(`^## ${version.replaceAll(".", "\\.")}\\b.*$`, "m").exec(read("CHANGELOG.md"));

  const missing: string[] = [];
  if (absent.length > 0) missing.push(`package.json: ${absent.join(", ")}`);
  if (section === null) missing.push(`CHANGELOG.md: a section "## ${version}"`);
  else if (section[0].includes("not released yet"))
    missing.push(`CHANGELOG.md: the section of ${version} says that it is not released yet`);
  if (moduleOf({ folder }).includes(".example/"))
    missing.push(
      "clients/go: a module path with an address of the project in place of dbsyncd.example (in go.mod, and in all imports)",
    );
  if (MAINTAINER.includes("localhost"))
    missing.push("test/packages/debian-package.ts: the maintainer's address");

  const [, frozen] = /^export const FROZEN = (\d+);$/m.exec(read(SEMANTICS_FILE)) ?? [];
  if (Number(frozen) !== SEMANTICS.last)
    missing.push(
      `${SEMANTICS_FILE}: FROZEN = ${SEMANTICS.last}, so that what commands mean no longer changes`,
    );

  const { status, stdout } = spawnSync("git", ["status", "--porcelain"], {
    cwd: repositoryRoot,
    encoding: "utf8",
  });
  if (status !== 0 || stdout !== "") missing.push("a commit with all changes: git status lists some");
  return missing;
}
