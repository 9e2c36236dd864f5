/** Parses the rows of a relation in a daemon's reply, keeping the types of cells. */
import { type ByteString, bytesOfText, textOfBytes } from "../../../protocol/byte-string.js";
import type { Reply } from "../../../protocol/reply.js";
import type { FolderCell } from "./sql-data-folder.js";

/** A number, the bytes of a text, or null. */
export type TypedCell = number | { readonly bytes: ByteString } | null;

/** Returns the rows. @throws Error  the reply is not a relation */
export function cellsOf(reply: Reply): TypedCell[][] {
  const items = "items" in reply ? reply.items : [];
  const index = items.findIndex((item) => item.kind === "bulk" && item.bytes === "rows");
  const rows = items[index + 1];
  if (index < 0 || rows === undefined || !("items" in rows))
    throw new Error(`a daemon's answer is not a relation: ${reply.kind}`);
  return rows.items.map((row) => ("items" in row ? row.items.map(cellOf) : []));
}

/** Converts a cell. In replies to envelopes, numbers have the kind `status`; texts never have it. */
function cellOf(reply: Reply): TypedCell {
  if (reply.kind === "status") return Number(reply.text);
  return reply.kind === "bulk" ? { bytes: reply.bytes } : null;
}

/** Returns the text of a cell, or "" if the cell is not a text. */
export const textOf = (cell: TypedCell | undefined): string =>
  typeof cell === "object" && cell !== null ? textOfBytes(cell.bytes) : "";

/** Returns a cell for a file, or undefined if it contains bytes that are not text. */
export function folderCell(cell: TypedCell): FolderCell | undefined {
  if (cell === null || typeof cell === "number") return cell;
  const text = textOfBytes(cell.bytes);
  return bytesOfText(text) === cell.bytes ? text : undefined;
}
