/**
 * Makes examples/php/dbsync.php: the classes of examples/php/src in one file, for users that copy a file and do
 * not use Composer.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { repositoryRoot } from "../support/repository.js";

const FOLDER = "examples/php/src";
const FUNCTIONS = "functions.php";

/** Files that define what the remaining ones extend or implement. */
const FIRST = ["Failure.php", "SimpleCache.php", "SimpleCacheFault.php"];

const HEAD = "<?php\ndeclare(strict_types=1);\n\nnamespace Dbsync;\n\n";

export function phpFile(): { readonly file: string; readonly now: string; readonly due: string } {
  const file = "examples/php/dbsync.php";
  const names = readdirSync(join(repositoryRoot, FOLDER)).sort();
  const first = FIRST.filter((name) => names.includes(name));
  const classes = names.filter((name) => name !== FUNCTIONS && !first.includes(name));
  const [, comment = "", functions = ""] =
    /^<\?php\n(\/\*.*?\*\/\n)declare\(strict_types=1\);\n\n(.*)$/s.exec(read(FUNCTIONS)) ?? [];
  const due = [
    `<?php\n${comment.replace(" */", " * Made of examples/php/src by npm run tables.\n */")}declare(strict_types=1);`,
    "",
    "namespace Dbsync {",
    "    if (!function_exists('dbsync_send')) {",
    [...first, ...classes].map((name) => indented(classOf(name), 8)).join("\n\n"),
    "    }",
    "}",
    "",
    "namespace {",
    indented(functions, 4),
    "}",
    "",
  ].join("\n");
  return { file, now: readFileSync(join(repositoryRoot, file), "utf8"), due };
}

function read(name: string): string {
  return readFileSync(join(repositoryRoot, FOLDER, name), "utf8");
}

function classOf(name: string): string {
  const text = read(name);
  if (!text.startsWith(HEAD))
    throw new Error(`${FOLDER}/${name} does not begin with ${JSON.stringify(HEAD)}`);
  return text.slice(HEAD.length);
}

function indented(text: string, blanks: number): string {
  return text.trimEnd().replaceAll(/^(?=.)/gm, " ".repeat(blanks));
}
