/** Options of earlier versions, with the replacement that the error names. */
const REMOVED: Readonly<Record<string, string>> = {
  "json-replica-kept-writes": "dbsyncd daemons share the writes of JSON clients with --peer",
  "json-replica-kept-bytes": "dbsyncd daemons share the writes of JSON clients with --peer",
};

/**
 * Returns a sentence about the replacement of a removed option, or null if there was no such option.
 * @param name  without dashes
 */
export function insteadOf(name: string): string | null {
  const instead = REMOVED[name];
  return instead === undefined ? null : `This option was removed: ${instead}. Leave it out.`;
}
