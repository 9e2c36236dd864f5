/** Writes docs/mistakes.md anew: `npm run mistakes`. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { repositoryRoot } from "../support/repository.js";
import type { Mistake, Reader } from "./mistake.js";
import { LANGUAGES, tellBy } from "./other-languages.js";
import { GROUPS, PAGE, pageOf } from "./page.js";
import { makeScene } from "./scene.js";
import { plain, type Told, tell } from "./tell.js";

const ORDER: readonly Reader[] = ["Node", "shell", "PHP", "Python", "dbsyncd", "log"];

const scene = await makeScene();
const tolds = new Map<Mistake, Told>();
for (const { mistakes } of GROUPS) {
  const others = new Map<Reader, Map<Mistake, string>>();
  for (const language of LANGUAGES) others.set(language, await tellBy(language, mistakes, scene));
  for (const mistake of mistakes) {
    const told: Told = await tell(mistake, scene, true);
    for (const [language, said] of others) {
      const text = said.get(mistake);
      if (text !== undefined) told[language] = plain(text, scene);
    }
    const ordered = ORDER.flatMap((reader) => (told[reader] === undefined ? [] : [[reader, told[reader]]]));
    tolds.set(mistake, Object.fromEntries(ordered) as Told);
  }
}
await scene[Symbol.asyncDispose]();
writeFileSync(join(repositoryRoot, PAGE), pageOf(tolds));
