/** A loader hook that breaks one module when it is loaded. suspect.ts registers it. */
import { readFileSync } from "node:fs";
import type { LoadHook } from "node:module";
import { fileURLToPath } from "node:url";

interface Break {
  readonly url: string;
  readonly find: string;
  readonly replace: string;
}

let broken: Break | null = null;

export function initialize(data: Break): void {
  broken = data;
}

export const load: LoadHook = async (url, context, nextLoad) => {
  if (broken === null || url !== broken.url) return await nextLoad(url, context);
  const { find, replace } = broken;
  // The replacement is a function, since `$` has a special meaning in a replacement string.
  const source = readFileSync(fileURLToPath(url), "utf8").replace(find, () => replace);
  return { format: "module", source, shortCircuit: true };
};
