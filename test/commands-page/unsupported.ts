/** Redis commands that dbsyncd does not have, and why. */

/** Reasons, each with names; a name stands for its subcommands as well. */
export const UNSUPPORTED: readonly (readonly [reason: string, names: string])[] = [
  [
    "A script touches what its run decides, and which keys a command may touch must follow from its bytes alone. MULTI, and WATCH or `if`, do what most scripts are for.",
    "eval eval_ro evalsha evalsha_ro fcall fcall_ro function|dump function|load function|restore script|debug script|load",
  ],
  [
    "Consumer groups are not there yet: streams are read by XREAD and XRANGE.",
    "xack xautoclaim xclaim xgroup xinfo|consumers xpending xreadgroup",
  ],
  [
    "Redis Cluster is another thing: every daemon holds all keys.",
    "asking cluster readonly readwrite restore-asking",
  ],
  ["Daemons are each other's peers (--peer) and speak another protocol.", "failover psync replconf sync"],
  ["There are no modules.", "module"],
  ["DUMP and RESTORE move keys; the daemon opens no connections to other servers.", "migrate"],
  ["They look into Redis's own implementation.", "pfdebug pfselftest"],
  ["A picture for terminals: LATENCY HISTORY has the numbers.", "latency|graph"],
];

/** Why there is no such command; null: no reason is given. @param name  in lower case */
export function reasonAgainst(name: string): string | null {
  const found = UNSUPPORTED.find(([, names]) =>
    names.split(" ").some((one) => name === one || name.startsWith(`${one}|`)),
  );
  return found?.[0] ?? null;
}
