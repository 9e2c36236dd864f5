/** Tests where the lines of help are broken. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { breakHelp } from "../../../../daemon/net/terminal/terminal-text.js";

test("help is broken at the width of the terminal, or at 120 columns if it is not printed on a terminal", () => {
  const help = `${"word ".repeat(60).trimEnd()}\n  ${"example ".repeat(30).trimEnd()}`;
  const longest = (text: string) =>
    Math.max(...text.split("\n").flatMap((line) => (line.startsWith(" ") ? [] : line.length)));
  const { columns } = process.stdout;
  try {
    for (const [width, expected] of [
      [80, 79],
      [40, 39],
      [undefined, 119],
      [0, 119],
    ] as const) {
      Object.assign(process.stdout, { columns: width });
      const broken = breakHelp(help);
      assert.equal(longest(broken), expected);
      assert.equal(broken.replaceAll("\n", " "), help.replaceAll("\n", " "));
    }
  } finally {
    Object.assign(process.stdout, { columns });
  }
});
