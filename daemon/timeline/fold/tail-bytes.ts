/** Estimates the memory of units in the tail, including the old values in their undo records, which may be large. */

import type { UndoRecord } from "../../store/keyspace/undo.js";
import { ARRAY_SLOT_BYTES, ELEMENT_BYTES } from "../../store/keyspace/value-change.js";
import type { Value } from "../../store/values/value.js";
import type { FoldUnit } from "./fold-unit.js";
import type { TailEntry, Undoing } from "./tail.js";

/** Bytes of an entry without its units, in addition to its body. */
const ENTRY_BYTES = 320;
/** Bytes of a unit of one command with its parsed envelope, without arguments: measured on the heap and rounded up. */
const UNIT_BYTES = 640;
const NODE_BYTES = 120;
const ARGUMENT_BYTES = 24;
const RECORD_BYTES = 112;
/** A key with a small value. */
const KEY_BYTES = 256;

export function bytesOfUnit({ commands, more, records }: FoldUnit): number {
  let bytes = UNIT_BYTES + NODE_BYTES * (more?.length ?? 0);
  for (const argv of commands) for (const argument of argv) bytes += ARGUMENT_BYTES + argument.length;
  return bytes + bytesOfUndoing(records);
}

/** Returns the bytes that an entry without its units keeps in memory. */
export function bytesOfEntry({ body, undoing }: TailEntry): number {
  let bytes = ENTRY_BYTES + body.length;
  if (undoing === null) return bytes;
  for (const each of undoing) bytes += ARRAY_SLOT_BYTES + bytesOfUndoing(each);
  return bytes;
}

function bytesOfUndoing(undoing: Undoing): number {
  if (undoing === null || undoing === "denied") return 0;
  if (!Array.isArray(undoing)) return bytesOfRecord(undoing);
  let bytes = 0;
  for (const record of undoing) bytes += bytesOfRecord(record);
  return bytes;
}

function bytesOfRecord(record: UndoRecord): number {
  switch (record.mutator) {
    case "put":
      return RECORD_BYTES + (record.old === null ? 0 : bytesOfValue(record.old));
    case "writer":
      return RECORD_BYTES + (record.before === null ? 0 : bytesOfRecord(record.before));
    case "patch":
    case "hashPut":
      return RECORD_BYTES + record.old.length;
    case "listPop":
      return RECORD_BYTES + record.element.length;
    case "listSplice":
      return record.removed.reduce((sum, element) => sum + ELEMENT_BYTES + element.length, RECORD_BYTES);
    case "hashRemove":
      return RECORD_BYTES + record.field.length + record.old.length;
    case "setRemove":
    case "score":
      return RECORD_BYTES + record.member.length;
    case "value":
      return RECORD_BYTES + record.bytes;
    case "replaceDb":
      return RECORD_BYTES + KEY_BYTES * record.old.size;
    default:
      return RECORD_BYTES;
  }
}

function bytesOfValue(value: Value): number {
  if (typeof value === "string") return value.length;
  return ELEMENT_BYTES * (1 + value.allElements);
}
