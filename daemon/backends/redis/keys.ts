/** Where a command's keys are, told from its bytes: as our own table has it where they stand at fixed places, else as ioredis does. */
import type { ByteString } from "../../../protocol/byte-string.js";
import { commands } from "../../../store/command-table.js";
import type { KeyRange } from "../../../store/rows/key-spec.js";
import { type Argv, commandOf } from "./link.js";

/** Of commands with one key, which most are: its place. */
const PLACES: ReadonlyMap<string, number> = new Map(
  commands.flatMap(({ name, keys }) => {
    const [range, ...more] = Array.isArray(keys) ? (keys as readonly KeyRange[]) : [];
    const isOne = range !== undefined && more.length === 0 && range.first === range.last;
    return isOne && !name.includes("|") ? [[name, range.first] as const] : [];
  }),
);

/** Of commands that neither knows none. */
export function keysOf(argv: Argv): ByteString[] {
  const place = PLACES.get((argv[0] as ByteString).toUpperCase());
  const key = place === undefined ? undefined : argv[place];
  if (key !== undefined) return [key];
  return commandOf(argv)
    .getKeys()
    .map((found) => (Buffer.isBuffer(found) ? found.toString("latin1") : String(found)));
}
