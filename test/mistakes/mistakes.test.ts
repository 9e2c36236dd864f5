/**
 * Makes all mistakes of the table, and checks that each text says what is wrong, where, and what to do, and that
 * docs/troubleshooting.md contains the texts of common mistakes.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { amount } from "../support/amount.js";
import { repositoryRoot } from "../support/repository.js";
import { skipWithout } from "../support/requirements.js";
import { collectTexts, plain, type Texts } from "./collect-texts.js";
import type { Mistake, Reader } from "./mistake.js";
import { LANGUAGES, textsIn } from "./other-languages.js";
import { GROUPS, PAGE, printedText, shownText } from "./page.js";
import { makeScene, type Scene } from "./scene.js";

/**
 * The number of mistakes of each group that the test also makes in a shell. It is small in a short run, because each
 * mistake starts a process.
 */
const SHELLS = amount(2, 1000);
const MISTAKES_MIN = 60;

const page = readFileSync(join(repositoryRoot, PAGE), "utf8");
let scene: Scene;
before(async () => {
  scene = await makeScene();
});
after(() => scene[Symbol.asyncDispose]());

/** The programs that make the calls of languages other than Python. */
const PROGRAMS: Partial<Record<Reader, string>> = { PHP: "php", Go: "go" };

test("the table has at least sixty mistakes, and no group has duplicates", () => {
  const names = GROUPS.flatMap(({ name, mistakes }) => mistakes.map((one) => `${name}: ${one.name}`));
  assert.ok(names.length >= MISTAKES_MIN, `${names.length}`);
  assert.equal(new Set(names).size, names.length);
});

function check(mistake: Mistake, texts: Texts): void {
  for (const [reader, text] of Object.entries(texts) as [Reader, string][]) {
    // A log line need not match all patterns, because its readers know the daemon.
    if (reader !== "log")
      for (const pattern of mistake.says) assert.match(text, pattern, `not in the text for ${reader}`);
  }
}

for (const { name: group, mistakes } of GROUPS)
  describe(group, () => {
    for (const [index, mistake] of mistakes.entries())
      test(mistake.name, async () => {
        const texts = await collectTexts(mistake, scene, index < SHELLS);
        check(mistake, texts);
        const printed = mistake.isCommon ? shownText(texts) : null;
        assert.equal(printedText(page, mistake), printed, `npm run mistakes writes ${PAGE} again`);
      });
    for (const language of LANGUAGES)
      test(`${language} reports the mistakes`, { skip: languageSkip(language, mistakes) }, async () => {
        for (const [mistake, text] of await textsIn(language, mistakes, scene))
          check(mistake, { [language]: plain(text, scene) });
      });
  });

function languageSkip(language: Reader, mistakes: readonly Mistake[]): string | false {
  if (!mistakes.some(({ call }) => call !== undefined)) return "this group has no calls";
  return skipWithout(PROGRAMS[language] ?? "/usr/bin/python3");
}
