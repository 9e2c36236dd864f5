/** Checks a page in Chromium against the rules of axe-core: names, roles, contrast, order. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { Tab } from "../client/browser/chromium.js";

interface Violation {
  readonly id: string;
  readonly impact: string;
  readonly help: string;
  readonly nodes: readonly { readonly html: string }[];
}

/**
 * Returns axe-core's findings on the open page, one per line. The debugger runs axe-core outside
 * the page's own scripts, so the page's Content-Security-Policy need not allow it.
 */
export async function axeFindings(tab: Tab): Promise<readonly string[]> {
  const file = createRequire(import.meta.url).resolve("axe-core/axe.min.js");
  await tab.command("Runtime.evaluate", { expression: readFileSync(file, "utf8") });
  const found = await tab.run(`axe.run(document, { resultTypes: ["violations"] })
    .then(({ violations }) => violations.map(({ id, impact, help, nodes }) =>
      ({ id, impact, help, nodes: nodes.map(({ html }) => ({ html })) })))`);
  return (found as Violation[]).map(
    ({ id, impact, help, nodes }) => `${impact}: ${id}: ${help}: ${nodes.map(({ html }) => html)}`,
  );
}
