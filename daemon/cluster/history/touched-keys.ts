/** Checks whether commands and units of the history touch a key. */
import type { ByteString } from "../../../protocol/byte-string.js";
import { conditionsOf } from "../../../protocol/version-2/envelope.js";
import { CommandFailure } from "../../store/arguments/command-errors.js";
import { commandTable } from "../../store/command-table.js";
import { type Touch, touchesOf } from "../../store/rows/key-spec.js";
import type { RecalledUnit } from "../../timeline/history-fold.js";

export interface DatabaseKey {
  readonly db: number;
  readonly key: ByteString;
}

/** Whether a command or condition (`if`) of a unit names the key, or concerns all keys of the key's database. */
export function unitTouchesKey(unit: Omit<RecalledUnit, "answer">, databaseKey: DatabaseKey): boolean {
  const conditions = conditionsOf(unit.entry.envelope, unit.index) ?? [];
  if (conditions.some(({ db, key }) => db === databaseKey.db && key === databaseKey.key)) return true;
  return unit.commands.some((argv) => touchesIn(argv, unit.entry.envelope.db, databaseKey).length > 0);
}

/** Whether the unit may have changed the key. */
export function mayWrite({ entry, commands }: RecalledUnit, databaseKey: DatabaseKey): boolean {
  return commands.some((argv) => writes(argv, entry.envelope.db, databaseKey));
}

/** Whether a command may change the key. @param db  the database that it runs in */
export function writes(argv: readonly ByteString[], db: number, databaseKey: DatabaseKey): boolean {
  return touchesIn(argv, db, databaseKey).some(({ access }) => access === "write");
}

/** Returns the command's accesses to the key, including accesses to all keys of the key's database. */
function touchesIn(argv: readonly ByteString[], db: number, databaseKey: DatabaseKey): Touch[] {
  const command = commandTable.resolve(argv);
  if (command instanceof CommandFailure) return [];
  return touchesOf(command.keys, argv).filter((touch) => {
    const touched = touch.db ?? db;
    return (
      (touched === -1 || touched === databaseKey.db) && (touch.key === null || touch.key === databaseKey.key)
    );
  });
}
