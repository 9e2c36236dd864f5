/** Names that look alike are one name. By the confusable characters of Unicode, in the package unhomoglyph. */
import { createRequire } from "node:module";

/** Returns the same text for names that look alike. */
export type Fold = (name: string) => string;

/** Words that clients show instead of a name, or next to it. */
const RESERVED = ["you", "vous", "annonce"] as const;

/** Loads the table of characters. It is a development dependency: without it, names differ by any character. */
export function lookAlikes(log: (line: string) => void): Fold {
  try {
    const skeletonOf = createRequire(import.meta.url)("unhomoglyph") as Fold;
    // I, l and 1 look alike, and i is I in lower case.
    return (name) =>
      skeletonOf(skeletonOf(name.normalize("NFKC")).toLowerCase())
        .replace(/i/g, "l")
        .replace(/\s+/g, " ");
  } catch {
    log("names that look alike are not refused: npm install unhomoglyph");
    return (name) => name.normalize("NFKC").toLowerCase();
  }
}

/** Whether a name would look like what clients write themselves: `Ann (you)`, `you`. */
export function isReserved(name: string, fold: Fold): boolean {
  const folded = fold(name);
  return RESERVED.some((word) => {
    const reserved = fold(word);
    return folded === reserved || new RegExp(`[(\\[{<]\\s*${reserved}\\s*[)\\]}>]`).test(folded);
  });
}
