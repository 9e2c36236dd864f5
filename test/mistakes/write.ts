/** Writes the texts of common mistakes into docs/troubleshooting.md: `npm run mistakes`. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { repositoryRoot } from "../support/repository.js";
import { collectTexts } from "./collect-texts.js";
import type { Mistake } from "./mistake.js";
import { GROUPS, PAGE, pageWith, shownText } from "./page.js";
import { makeScene } from "./scene.js";

const scene = await makeScene();
const texts = new Map<Mistake, string>();
for (const { mistakes } of GROUPS)
  for (const mistake of mistakes)
    if (mistake.isCommon) texts.set(mistake, shownText(await collectTexts(mistake, scene, true)));
await scene[Symbol.asyncDispose]();
const page = join(repositoryRoot, PAGE);
writeFileSync(page, pageWith(readFileSync(page, "utf8"), texts));
