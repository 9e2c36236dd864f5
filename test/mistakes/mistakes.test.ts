/**
 * Makes every mistake of the table: each text says what is wrong, where, and what to do, and
 * docs/troubleshooting.md prints the common ones.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { amount } from "../support/amount.js";
import { repositoryRoot } from "../support/repository.js";
import { skipWithout } from "../support/requirements.js";
import type { Mistake, Reader } from "./mistake.js";
import { LANGUAGES, tellBy } from "./other-languages.js";
import { GROUPS, PAGE, printedText, shownText } from "./page.js";
import { makeScene, type Scene } from "./scene.js";
import { plain, type Told, tell } from "./tell.js";

/** In a plain run, the number of mistakes of each group that are made in a shell as well: each starts a process. */
const SHELLS = amount(2, 1000);
const MISTAKES_LEAST = 60;

const page = readFileSync(join(repositoryRoot, PAGE), "utf8");
let scene: Scene;
before(async () => {
  scene = await makeScene();
});
after(() => scene[Symbol.asyncDispose]());

test("the table has at least sixty mistakes, each once in its group", () => {
  const names = GROUPS.flatMap(({ name, mistakes }) => mistakes.map((one) => `${name}: ${one.name}`));
  assert.ok(names.length >= MISTAKES_LEAST, `${names.length}`);
  assert.equal(new Set(names).size, names.length);
});

function check(mistake: Mistake, told: Told): void {
  for (const [reader, text] of Object.entries(told) as [Reader, string][]) {
    // A log line says less, since its readers know where it was written.
    if (reader !== "log")
      for (const said of mistake.says) assert.match(text, said, `${reader} does not say so`);
  }
}

for (const { name: group, mistakes } of GROUPS)
  describe(group, () => {
    for (const [index, mistake] of mistakes.entries())
      test(mistake.name, async () => {
        const told = await tell(mistake, scene, index < SHELLS);
        check(mistake, told);
        const printed = mistake.isCommon ? shownText(told) : null;
        assert.equal(printedText(page, mistake), printed, `npm run mistakes writes ${PAGE} again`);
      });
    for (const language of LANGUAGES)
      test(`the same in ${language}`, { skip: languageSkip(language, mistakes) }, async () => {
        for (const [mistake, text] of await tellBy(language, mistakes, scene))
          check(mistake, { [language]: plain(text, scene) });
      });
  });

function languageSkip(language: Reader, mistakes: readonly Mistake[]): string | false {
  if (!mistakes.some(({ call }) => call !== undefined)) return "no calls of its own";
  return language === "PHP" ? skipWithout("php") : skipWithout("/usr/bin/python3");
}
