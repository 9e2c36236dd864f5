/** Explains the terms of this project where the page uses them. docs/glossary.md contains the same words. */

export const TERMS = {
  "dead letter": "an entry that no remaining member has",
  envelope: "one or more commands that are signed together",
  unit: "one command, or all commands of an envelope with multi",
} as const;

/** Returns the explanations of the terms that a text contains, or "". */
export const termsIn = (text: string): string =>
  Object.entries(TERMS)
    .filter(([term]) => new RegExp(`\\b${term}s?\\b`).test(text))
    .map(([term, meaning]) => `${term[0]?.toUpperCase()}${term.slice(1)}: ${meaning}.`)
    .join(" ");
