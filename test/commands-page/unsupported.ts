/** Redis commands that dbsyncd does not have, and why. */

/** Reasons, each with names; a name includes its subcommands. */
export const UNSUPPORTED: readonly (readonly [reason: string, names: string])[] = [
  [
    "Every daemon holds all keys, so there is no Redis Cluster. The answer is that of a Redis without cluster support.",
    "cluster restore-asking",
  ],
  ["DUMP and RESTORE move keys; the daemon opens no connections to other servers.", "migrate"],
  ["It draws a picture for terminals: use LATENCY HISTORY for the numbers.", "latency|graph"],
];

/** Returns why a command does not exist; null: no reason is recorded. @param name  in lower case */
export function reasonAgainst(name: string): string | null {
  const found = UNSUPPORTED.find(([, names]) =>
    names.split(" ").some((one) => name === one || name.startsWith(`${one}|`)),
  );
  return found?.[0] ?? null;
}
