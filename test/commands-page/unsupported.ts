/** The commands of Redis that dbsyncd does not have, with the reasons. */

/** The reasons, each with the names of commands. A name includes its subcommands. */
export const UNSUPPORTED: readonly (readonly [reason: string, names: string])[] = [
  [
    "There is no Redis Cluster, because every daemon has all keys. The daemon answers as a Redis without cluster support does.",
    "cluster restore-asking",
  ],
  ["The daemon opens no connections to other servers. Use DUMP and RESTORE to move keys.", "migrate"],
  ["It draws a picture for terminals. LATENCY HISTORY returns the same numbers.", "latency|graph"],
];

/** Returns the reason why a command does not exist, or null if none is known. @param name  in lower case */
export function reasonAgainst(name: string): string | null {
  const found = UNSUPPORTED.find(([, names]) =>
    names.split(" ").some((one) => name === one || name.startsWith(`${one}|`)),
  );
  return found?.[0] ?? null;
}
