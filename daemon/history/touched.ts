/** Whether a unit of the past may have had to do with a key, from its bytes alone. */
import type { ByteString } from "../../protocol/byte-string.js";
import { resolveCommand } from "../../store/command-table.js";
import { CommandFailure } from "../../store/errors.js";
import { type Touch, touchesOf } from "../../store/key-spec.js";
import type { RecalledUnit } from "../../timeline/recall.js";

export interface KeyPlace {
  readonly db: number;
  readonly key: ByteString;
}

/** Whether it names the key, or a whole database that holds it; with `if` among its conditions too. */
export function touches(unit: RecalledUnit, place: KeyPlace): boolean {
  const conditions = unit.entry.envelope.if ?? [];
  if (conditions.some(({ db, key }) => db === place.db && key === place.key)) return true;
  return hasTouch(unit, place, () => true);
}

/** Whether it may have changed the key. */
export function mayWrite(unit: RecalledUnit, place: KeyPlace): boolean {
  return hasTouch(unit, place, ({ access }) => access === "write");
}

function hasTouch(
  { entry, commands }: RecalledUnit,
  place: KeyPlace,
  counts: (touch: Touch) => boolean,
): boolean {
  return commands.some((argv) => {
    const command = resolveCommand(argv);
    if (command instanceof CommandFailure) return false;
    return touchesOf(command.keys, argv).some((touch) => {
      const db = touch.db ?? entry.envelope.db;
      if (db !== -1 && db !== place.db) return false;
      return (touch.key === null || touch.key === place.key) && counts(touch);
    });
  });
}
