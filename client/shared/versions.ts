/**
 * Which versions of the protocol a signed call may go out as. One of version 1 can be replayed for ever by whoever sees it,
 * so it is for somebody to say, never for a daemon's behaviour alone. Pure. Source: docs/protocol-v2.md "hello".
 */

/**
 * - `2`: version 2 alone, as if nobody says anything; but who says it knows that all daemons speak it, so that the first
 *   command need not wait for the answer to the hello
 * - `1`: version 1 alone, unasked
 * - `1,2`: each daemon is asked, and one that closes on the hello gets version 1
 */
export type Versions = "1" | "2" | "1,2";

export const VERSIONS_ALLOWED =
  "2 (version 2 alone), 1 (version 1 alone), or 1,2 (version 2, and version 1 for daemons that know no other)";

const FORMS: Readonly<Record<string, Versions>> = { "1": "1", "2": "2", "1,2": "1,2", "2,1": "1,2" };

/** Of an option, variable or line; blanks do not matter. null: it is none. */
export function readVersions(value: unknown): Versions | null {
  return typeof value === "string" ? (FORMS[value.replaceAll(" ", "")] ?? null) : null;
}
