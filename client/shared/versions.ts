/**
 * The versions of the protocol that a signed call may use. A call of version 1 can be replayed at any time by any
 * third party that has seen it, so only the user can allow it, never a daemon's behaviour alone. Pure. Source:
 * docs/protocol-v2.md "hello".
 */

/**
 * The allowed versions:
 * - `2`: version 2 alone, as without the option; in addition all daemons are known to speak it, so that the first
 *   command need not wait for the answer to the hello
 * - `1`: version 1 alone, without a hello
 * - `1,2`: each daemon is asked, and one that closes on the hello gets version 1
 */
export type Versions = "1" | "2" | "1,2";

export const VERSIONS_ALLOWED =
  "2 (version 2 alone), 1 (version 1 alone), or 1,2 (version 2, and version 1 for daemons that know no other)";

const FORMS: Readonly<Record<string, Versions>> = { "1": "1", "2": "2", "1,2": "1,2", "2,1": "1,2" };

/** Parses an option, variable or line; spaces do not matter. null: it is invalid. */
export function readVersions(value: unknown): Versions | null {
  return typeof value === "string" ? (FORMS[value.replaceAll(" ", "")] ?? null) : null;
}
