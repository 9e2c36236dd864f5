/** Replaces positions in compiled files by positions in their source files, in the output of failed tests. */
import { existsSync, readFileSync } from "node:fs";
import { SourceMap } from "node:module";
import { dirname, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";

/** Matches a position in a JavaScript file, as in a stack trace. */
const POSITION = /(file:\/\/)?(\/[^\s:()'"]+\.js):(\d+):(\d+)/g;

/** The source maps by file. A file without a map has null. */
const maps = new Map<string, SourceMap | null>();

/**
 * Replaces each position in a compiled file that has a source map by the position in the source file, whose path is
 * relative to the working folder. The remaining text is unchanged.
 */
export function withSourceLines(text: string): string {
  return text.replace(POSITION, (match, scheme: string | undefined, path: string, line: string, column) => {
    const file = scheme === undefined ? path : fileURLToPath(`file://${path}`);
    return sourcePosition(file, Number(line), Number(column)) ?? match;
  });
}

/** Returns the position in the source file, or null. Lines and columns are one-based, as in a stack trace. */
function sourcePosition(file: string, line: number, column: number): string | null {
  const entry = mapOf(file)?.findEntry(line - 1, column - 1);
  if (entry === undefined || !("originalSource" in entry)) return null;
  const source = resolve(dirname(file), entry.originalSource);
  return `${relative(process.cwd(), source)}:${entry.originalLine + 1}:${entry.originalColumn + 1}`;
}

function mapOf(file: string): SourceMap | null {
  const known = maps.get(file);
  if (known !== undefined) return known;
  const path = `${file}.map`;
  const map = existsSync(path) ? new SourceMap(JSON.parse(readFileSync(path, "utf8"))) : null;
  maps.set(file, map);
  return map;
}
