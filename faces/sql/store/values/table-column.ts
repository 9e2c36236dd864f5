/** The columns of a table. */

import type { ValueReader, ValueWriter } from "../../../../daemon/store/values/object-value.js";
import { DamagedSnapshot } from "../../../../daemon/timeline/snapshots/snapshot-stream.js";
import type { ByteString } from "../../../../protocol/byte-string.js";
import type { Cell } from "./cell.js";
import { type Domain, domainOfText, domainText, isCell } from "./domain.js";

/** Snapshots on disk contain indexes into this list: add new items only at the end. */
const UNIQUENESS = ["none", "unique", "primary"] as const;
/** Added to the number for a column's uniqueness if a text with the column's extras follows. */
const WITH_EXTRAS = 16;

/** The constraint of a column. "unique": no two values are equal; "primary": in addition, no value is missing. */
export type Uniqueness = "none" | "unique" | "primary";

/** The optional properties of a column. */
export interface ColumnExtras {
  /** Whether the column rejects null. */
  readonly isRequired?: true;
  /** The default for a row without a value; undefined means null. */
  readonly preset?: Cell;
}

export interface TableColumn extends ColumnExtras {
  readonly name: ByteString;
  readonly domain: Domain;
  readonly uniqueness: Uniqueness;
}

/** Returns the extras as text, for digests and snapshots; "" if there are none. */
function extrasText({ isRequired, preset }: ColumnExtras): ByteString {
  const value = preset ?? null;
  return isRequired === undefined && value === null ? "" : JSON.stringify([isRequired === true, value]);
}

/** @returns undefined if the text does not contain extras */
function extrasOfText(text: ByteString): ColumnExtras | undefined {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!Array.isArray(parsed) || parsed.length !== 2) return undefined;
  const [isRequired, preset] = parsed as readonly unknown[];
  if (typeof isRequired !== "boolean" || !isCell(preset)) return undefined;
  return { ...(isRequired ? { isRequired } : {}), ...(preset === null ? {} : { preset }) };
}

/** Returns texts that are equal only for equal columns, for digests and the canonical state. */
export function columnTexts(column: TableColumn): readonly ByteString[] {
  const extras = extrasText(column);
  return [column.name, domainText(column.domain), column.uniqueness, ...(extras === "" ? [] : [extras])];
}

export function writeColumn(writer: ValueWriter, column: TableColumn): void {
  const extras = extrasText(column);
  writer.bytes(column.name);
  writer.bytes(domainText(column.domain));
  writer.number(UNIQUENESS.indexOf(column.uniqueness) + (extras === "" ? 0 : WITH_EXTRAS));
  if (extras !== "") writer.bytes(extras);
}

/** @throws DamagedSnapshot */
export function readColumn(reader: ValueReader): TableColumn {
  const name = reader.bytes();
  const domain = domainOfText(reader.bytes());
  const number = reader.number();
  const extras = number < WITH_EXTRAS ? {} : extrasOfText(reader.bytes());
  const uniqueness = UNIQUENESS[number % WITH_EXTRAS];
  if (domain === undefined || uniqueness === undefined || extras === undefined || number >= 2 * WITH_EXTRAS)
    throw new DamagedSnapshot("a table has a column of an unknown kind");
  return { name, domain, uniqueness, ...extras };
}
