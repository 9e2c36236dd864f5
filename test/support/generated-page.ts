/** Compares a generated page with the output of its generator. */
import assert from "node:assert/strict";

/** A generated page, with the command that writes it. */
export interface GeneratedPage {
  readonly file: string;
  readonly current: string;
  readonly expected: string;
  readonly command: string;
}

/**
 * Checks that a page is up to date.
 * @throws AssertionError  with the first line that differs and the command, instead of both pages
 */
export function assertGenerated({ file, current, expected, command }: GeneratedPage): void {
  if (current === expected) return;
  const [lines, wanted] = [current.split("\n"), expected.split("\n")];
  const at = wanted.findIndex((line, i) => line !== lines[i]);
  const index = at === -1 ? wanted.length : at;
  assert.fail(
    `${file} is out of date. To write it again: ${command}\n` +
      `line ${index + 1} is      ${lines[index] ?? "missing"}\n` +
      `and should be  ${wanted[index] ?? "missing"}`,
  );
}
