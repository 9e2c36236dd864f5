/**
 * Tests that the bounds of each limit of docs/limits.md hold on the command line, in a variable and in the
 * configuration file: a value below the minimum or above the maximum is refused in the same words.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { StartError } from "../../../daemon/net/process/service.js";
import { ENVIRONMENT_PREFIX } from "../../../daemon/options/option-row.js";
import { BUILD } from "../../../daemon/program/installed-faces.js";
import { readCommandLine } from "../../../daemon/program/program.js";
import { ALL_LIMITS } from "../../support/installed-options.js";
import { ScratchFolder } from "../../support/scratch-folder.js";

/** Returns the refusal of a start, or null if it is accepted. */
async function refusal(argv: readonly string[]): Promise<string | null> {
  try {
    await readCommandLine(["-p", "0", "--check-config", ...argv], process.env, BUILD.faces);
    return null;
  } catch (problem) {
    if (problem instanceof StartError) return problem.message;
    throw problem;
  }
}

/** Returns the refusal of a start with a variable, which the parser of options reads from this process. */
async function refusalOfVariable(name: string, text: string): Promise<string | null> {
  process.env[name] = text;
  try {
    return await refusal([]);
  } finally {
    delete process.env[name];
  }
}

test("each limit refuses values outside its bounds on the command line, in a variable and in the file", async () => {
  using folder = new ScratchFolder();
  let checked = 0;
  for (const { flag, unit, min, max, fallback } of Object.values(ALL_LIMITS)) {
    if (flag === null) continue;
    const textOf = (number: number) => (unit === "time" ? `${number}ms` : String(number));
    const variable = `${ENVIRONMENT_PREFIX}${flag.toUpperCase().replaceAll("-", "_")}`;
    const answersTo = async (text: string) => [
      await refusal([`--${flag}`, text]),
      await refusalOfVariable(variable, text),
      await refusal(["--config", folder.file("dbsyncd.toml", `${flag} = "${text}"\n`)]),
    ];
    for (const wrong of [...(min > 0 ? [min - 1] : []), max + 1]) {
      for (const [at, answer] of (await answersTo(textOf(wrong))).entries()) {
        assert.match(answer ?? "accepted", /Expected /, `${flag} = ${wrong}, entrance ${at}`);
        checked++;
      }
    }
    for (const answer of await answersTo(textOf(fallback)))
      assert.doesNotMatch(answer ?? "", /Expected /, `${flag} = ${fallback}`);
  }
  assert.ok(checked > 90, `${checked} values`);
});
