/** The columns of a table. */

import type { ByteString } from "../../../../protocol/byte-string.js";
import type { Cell } from "./cell.js";
import { type Domain, domainText, isCell } from "./domain.js";

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
export function extrasText({ isRequired, preset }: ColumnExtras): ByteString {
  const value = preset ?? null;
  return isRequired === undefined && value === null ? "" : JSON.stringify([isRequired === true, value]);
}

/** @returns undefined if the text does not contain extras */
export function extrasOfText(text: ByteString): ColumnExtras | undefined {
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
