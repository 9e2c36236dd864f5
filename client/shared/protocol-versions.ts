/**
 * The protocol versions that a signed call may use. Any third party that has seen a version 1 call can replay it at any
 * time, so only the user can allow version 1; a daemon's behaviour is never sufficient. The functions are pure. Source:
 * docs/protocol-v2.md "hello".
 */

/**
 * The allowed versions:
 * - `2`: only version 2, as without the option; in addition, the client assumes that all daemons speak version 2, so
 *   the first command does not have to wait for the answer to the hello
 * - `1`: only version 1, without a hello
 * - `1,2`: each daemon receives a hello, and a daemon that then closes the connection receives version 1
 */
export type Versions = "1" | "2" | "1,2";

export const VERSIONS_ALLOWED =
  "2 (only version 2), 1 (only version 1), or 1,2 (version 2, and version 1 for daemons that support no other)";

const FORMS: ReadonlyMap<string, Versions> = new Map<string, Versions>(
  Object.entries({ "1": "1", "2": "2", "1,2": "1,2", "2,1": "1,2" }),
);

/** Parses the value of an option, a variable or dbsync.ini, and ignores spaces. Returns null if it is invalid. */
export function readVersions(value: unknown): Versions | null {
  return typeof value === "string" ? (FORMS.get(value.replaceAll(" ", "")) ?? null) : null;
}
