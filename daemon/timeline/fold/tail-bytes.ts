/** Estimates the memory of units in the tail, including the old values in their undo records, which may be large. */

import type { Row } from "../../../faces/sql/store/values/cell.js";
import type { UndoRecord } from "../../store/keyspace/undo.js";
import type { Value } from "../../store/values/value.js";
import type { FoldUnit } from "./fold-unit.js";
import type { TailEntry, Undoing } from "./tail.js";

/** Bytes of an entry without its units, in addition to its body. */
const ENTRY_BYTES = 320;
const ARRAY_SLOT_BYTES = 8;
/** Bytes of a unit of one command with its parsed envelope, without arguments: measured on the heap and rounded up. */
const UNIT_BYTES = 640;
const NODE_BYTES = 120;
const ARGUMENT_BYTES = 24;
const RECORD_BYTES = 112;
/** An element of a list, a member of a set, or a field of a hash. */
const ELEMENT_BYTES = 64;
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
    case "documentSet":
    case "documentTakeOut":
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
    case "documentRemove":
      return RECORD_BYTES + record.removed.key.length + record.removed.text.length;
    case "streamRemove":
      return record.removed.fields.reduce((sum, field) => sum + field.length, RECORD_BYTES);
    case "streamTrim":
      return record.removed.reduce(
        (sum, block) => sum + ELEMENT_BYTES * block.size + block.valueBytes,
        RECORD_BYTES,
      );
    case "groupPut":
      return (
        RECORD_BYTES +
        (record.old === undefined ? 0 : ELEMENT_BYTES * (record.old.pending.size + record.old.skipped.size))
      );
    case "consumerRemove":
      return RECORD_BYTES + ELEMENT_BYTES * record.consumer.pending.size;
    case "groupPending":
      return RECORD_BYTES + ELEMENT_BYTES * record.ids.length;
    case "groupSkipped":
      return RECORD_BYTES + ELEMENT_BYTES * record.old.length;
    case "tableSet":
      return RECORD_BYTES + bytesOfRows(record.old.rows);
    case "tableRemove":
      return RECORD_BYTES + bytesOfRows(record.removed.rows);
    case "collectionSet":
      return RECORD_BYTES + bytesOfTexts(record.old.documents);
    case "collectionRemove":
      return RECORD_BYTES + bytesOfTexts(record.removed.documents);
    case "replaceDb":
      return RECORD_BYTES + KEY_BYTES * record.old.size;
    default:
      return RECORD_BYTES;
  }
}

function bytesOfTexts(texts: readonly string[]): number {
  return texts.reduce((sum, text) => sum + ELEMENT_BYTES + text.length, 0);
}

function bytesOfRows(rows: readonly Row[]): number {
  let bytes = 0;
  for (const row of rows) {
    bytes += ELEMENT_BYTES;
    for (const cell of row) bytes += ARRAY_SLOT_BYTES + (typeof cell === "string" ? cell.length : 0);
  }
  return bytes;
}

function bytesOfValue(value: Value): number {
  if (typeof value === "string") return value.length;
  return ELEMENT_BYTES * (1 + value.allElements);
}
