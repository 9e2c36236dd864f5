/**
 * Compiles the source files that changed since the last build, without a type check, so that one test runs within
 * seconds. The outputs of the build are stored until the next build, since the type checker writes only the outputs of
 * files that differ from those of its own last run.
 */
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { transform } from "esbuild";
import { buildRoot, ownFiles, repositoryRoot } from "./repository.js";

/** The last line of each output that this file writes. */
const MARK = "// Compiled without a type check. The next build replaces this file.\n";

/** The folder of the build's outputs that compileEdited() has replaced. */
const replaced = join(buildRoot, ".replaced");

/** The minimum age of a source file, in milliseconds, that the build has certainly read if its output is older. */
const READ_BY_BUILD_MS = 120_000;

/** Compiles the files that are newer than their outputs. @returns their paths, relative to the repository */
export async function compileEdited(): Promise<readonly string[]> {
  const edited = compiledSources().filter((source) => isNewer(source, outputOf(source)));
  await Promise.all(edited.map(compile));
  return edited;
}

/**
 * Restores the outputs that compileEdited() has replaced, unless the type checker has written them since. For use in
 * the build, after the type checker.
 */
export function restoreReplaced(): void {
  if (existsSync(replaced))
    for (const file of readdirSync(replaced, { recursive: true, encoding: "utf8" })) {
      const output = join(buildRoot, file);
      if (file.endsWith(".js") && existsSync(output) && readFileSync(output, "utf8").endsWith(MARK))
        renameSync(join(replaced, file), output);
    }
  rmSync(replaced, { recursive: true, force: true });
  markAsRead();
}

/**
 * Makes the outputs newer than the sources that the build has read. A fresh clone may have older outputs, for example
 * after a change of the branch.
 */
function markAsRead(): void {
  const now = new Date();
  for (const source of compiledSources()) {
    const output = outputOf(source);
    const isRead = Date.now() - statSync(join(repositoryRoot, source)).mtimeMs > READ_BY_BUILD_MS;
    if (isRead && isNewer(source, output) && existsSync(output)) utimesSync(output, now, now);
  }
}

/** Returns the source files that the build compiles into single files. */
function compiledSources(): string[] {
  const { include, exclude } = JSON.parse(readFileSync(join(repositoryRoot, "tsconfig.json"), "utf8")) as {
    readonly include: readonly string[];
    readonly exclude: readonly string[];
  };
  const isBelow = (file: string) => (folder: string) => file.startsWith(`${folder}/`);
  return ownFiles().filter(
    (file) =>
      file.endsWith(".ts") &&
      !file.endsWith(".d.ts") &&
      include.some(isBelow(file)) &&
      !exclude.some(isBelow(file)),
  );
}

function outputOf(source: string): string {
  return join(buildRoot, source.replace(/\.ts$/, ".js"));
}

function isNewer(source: string, output: string): boolean {
  const built = statSync(output, { throwIfNoEntry: false });
  return built === undefined || statSync(join(repositoryRoot, source)).mtimeMs > built.mtimeMs;
}

async function compile(source: string): Promise<void> {
  const { code } = await transform(readFileSync(join(repositoryRoot, source), "utf8"), {
    loader: "ts",
    format: "esm",
    target: "es2023",
    sourcefile: join(repositoryRoot, source),
    sourcemap: "inline",
    sourcesContent: false,
  });
  const output = outputOf(source);
  store(output, join(replaced, source.replace(/\.ts$/, ".js")));
  mkdirSync(dirname(output), { recursive: true });
  writeFileSync(output, `${code}${MARK}`);
}

/** Stores an output of the build. An output of compileEdited() is not stored. */
function store(output: string, stored: string): void {
  if (!existsSync(output) || readFileSync(output, "utf8").endsWith(MARK)) return;
  mkdirSync(dirname(stored), { recursive: true });
  renameSync(output, stored);
}
