/** Reads rows of a relation from daemons' answers, each cell with its type. */
import { type ByteString, bytesOfText, textOfBytes } from "../../protocol/byte-string.js";
import type { Reply } from "../../protocol/reply.js";
import type { FolderCell } from "./data-folder.js";

/** Numbers, and texts as their bytes. */
export type TypedCell = number | { readonly bytes: ByteString } | null;

/** @throws Error  the reply is no relation */
export function cellsOf(reply: Reply): TypedCell[][] {
  const items = "items" in reply ? reply.items : [];
  const place = items.findIndex((item) => item.kind === "bulk" && item.bytes === "rows");
  const rows = items[place + 1];
  if (place < 0 || rows === undefined || !("items" in rows))
    throw new Error(`a daemon's answer is no relation: ${reply.kind}`);
  return rows.items.map((row) => ("items" in row ? row.items.map(cellOf) : []));
}

/** Answers to envelopes contain numbers as statuses, which texts never are. */
function cellOf(reply: Reply): TypedCell {
  if (reply.kind === "status") return Number(reply.text);
  return reply.kind === "bulk" ? { bytes: reply.bytes } : null;
}

/** Returns a cell as text; "": it is none. */
export const textOf = (cell: TypedCell | undefined): string =>
  typeof cell === "object" && cell !== null ? textOfBytes(cell.bytes) : "";

/** Returns a cell as files have it; undefined: it has bytes that are no text. */
export function folderCell(cell: TypedCell): FolderCell | undefined {
  if (cell === null || typeof cell === "number") return cell;
  const text = textOfBytes(cell.bytes);
  return bytesOfText(text) === cell.bytes ? text : undefined;
}
