/** Redis commands that dbsyncd does not have, and why. */

/** Reasons, each with names; a name includes its subcommands. */
export const UNSUPPORTED: readonly (readonly [reason: string, names: string])[] = [
  [
    "Redis Cluster is another thing: every daemon holds all keys. It is answered as by a Redis whose cluster support is disabled.",
    "cluster restore-asking",
  ],
  ["DUMP and RESTORE move keys; the daemon opens no connections to other servers.", "migrate"],
  ["A picture for terminals: LATENCY HISTORY has the numbers.", "latency|graph"],
];

/** Returns why a command does not exist; null: no reason is recorded. @param name  in lower case */
export function reasonAgainst(name: string): string | null {
  const found = UNSUPPORTED.find(([, names]) =>
    names.split(" ").some((one) => name === one || name.startsWith(`${one}|`)),
  );
  return found?.[0] ?? null;
}
