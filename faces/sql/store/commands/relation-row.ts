/** The columns and rows of relations. */
import type { ByteString } from "../../../../protocol/byte-string.js";
import type { Scalar } from "../values/cell.js";

export interface RelationColumn {
  readonly name: ByteString;
  /**
   * The table, view or alias to which the column belongs, or null if the column is an expression or its origin is not
   * needed.
   */
  readonly origin: ByteString | null;
  /** Origins of the other columns that a natural join merged with this one. */
  readonly otherOrigins?: readonly ByteString[];
}

export type RelationRow = readonly Scalar[];
