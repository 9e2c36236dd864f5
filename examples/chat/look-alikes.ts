/**
 * Treats names that look alike as equal, according to the confusable characters of Unicode in the package
 * unhomoglyph.
 */
import { createRequire } from "node:module";

/** A function that returns the same text for names that look alike. */
export type Fold = (name: string) => string;

/** The words that clients show instead of a name, or next to it. */
const RESERVED = ["you", "vous", "annonce"] as const;

/**
 * Loads the table of characters, which is a development dependency. Without it, names are equal only if they have the
 * same letters, regardless of case.
 */
export function lookAlikes(log: (line: string) => void): Fold {
  try {
    const skeletonOf = createRequire(import.meta.url)("unhomoglyph") as Fold;
    // I, l and 1 look alike, and i is the lower case of I.
    return (name) =>
      skeletonOf(skeletonOf(name.normalize("NFKC")).toLowerCase())
        .replace(/i/g, "l")
        .replace(/\s+/g, " ");
  } catch {
    log("Names that look alike are admitted. To refuse them: npm install unhomoglyph");
    return (name) => name.normalize("NFKC").toLowerCase();
  }
}

/** Returns whether a name looks like a text that clients display, such as `Ann (you)` or `you`. */
export function isReserved(name: string, fold: Fold): boolean {
  const folded = fold(name);
  return RESERVED.some((word) => {
    const reserved = fold(word);
    return folded === reserved || new RegExp(`[(\\[{<]\\s*${reserved}\\s*[)\\]}>]`).test(folded);
  });
}
