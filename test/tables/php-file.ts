/**
 * Makes examples/php/dbsync.php, which contains the classes of examples/php/src in one file. It is for users that
 * copy one file and do not use Composer.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { repositoryRoot } from "../support/repository.js";

const FOLDER = "examples/php/src";
const FUNCTIONS = "functions.php";

/** The files with the base classes and interfaces of the remaining files, which must come first. */
const FIRST = ["Failure.php", "SimpleCache.php", "SimpleCacheFault.php"];

const HEAD = "<?php\ndeclare(strict_types=1);\n\nnamespace Dbsync;\n\n";

export function phpFile(): { readonly file: string; readonly current: string; readonly expected: string } {
  const file = "examples/php/dbsync.php";
  const names = readdirSync(join(repositoryRoot, FOLDER)).sort();
  const first = FIRST.filter((name) => names.includes(name));
  const classes = names.filter((name) => name !== FUNCTIONS && !first.includes(name));
  const [, comment = "", functions = ""] =
    /^<\?php\n(\/\*.*?\*\/\n)declare\(strict_types=1\);\n\n(.*)$/s.exec(read(FUNCTIONS)) ?? [];
  const expected = [
    `<?php\n${comment.replace(" */", " * Generated from examples/php/src by npm run tables.\n */")}declare(strict_types=1);`,
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
  return { file, current: readFileSync(join(repositoryRoot, file), "utf8"), expected };
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
