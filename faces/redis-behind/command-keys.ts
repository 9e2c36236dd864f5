import { commands } from "../../daemon/store/command-table.js";
import type { KeyRange } from "../../daemon/store/rows/key-spec.js";
import type { ByteString } from "../../protocol/byte-string.js";
import { type Argv, commandOf } from "./redis-link.js";

/** The index of the key, for commands with exactly one key, which are the most common. */
const INDEXES: ReadonlyMap<string, number> = new Map(
  commands.flatMap(({ name, keys }) => {
    const [range, ...more] = Array.isArray(keys) ? (keys as readonly KeyRange[]) : [];
    const isOne = range !== undefined && more.length === 0 && range.first === range.last;
    return isOne && !name.includes("|") ? [[name, range.first] as const] : [];
  }),
);

/**
 * The index of the argument that states the number of keys. That number is checked first, because ioredis accepts any
 * number and would run out of memory. The last three have no row: only ioredis, or newer Redis servers, have them.
 */
const COUNTED: ReadonlyMap<string, number> = new Map([
  ...commands.flatMap(({ name, keySearches = [] }) =>
    keySearches.flatMap(([begin, found]) =>
      begin.type === "index" && found.type === "keynum"
        ? [[name, begin.index + found.keynumidx] as const]
        : [],
    ),
  ),
  ["SDIFFCARD", 1],
  ["SUNIONCARD", 1],
  ["MSETEX", 1],
]);

/**
 * Returns a command's keys: by dbsync's own table if they are at fixed positions, otherwise by ioredis. Empty for
 * commands that neither of them knows.
 */
export function keysOf(argv: Argv): ByteString[] {
  const name = (argv[0] as ByteString).toUpperCase();
  if (Number(argv[COUNTED.get(name) ?? argv.length]) > argv.length) return [];
  const index = INDEXES.get(name);
  const key = index === undefined ? undefined : argv[index];
  if (key !== undefined) return [key];
  return commandOf(argv)
    .getKeys()
    .map((found) => (Buffer.isBuffer(found) ? found.toString("latin1") : String(found)));
}
