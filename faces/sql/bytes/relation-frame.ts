/** Writes the rows of a query as a frame of pages. Source: test/vectors/sql/GRAMMAR.md "Wire". */
import type { ByteString } from "../../../protocol/byte-string.js";
import type { Reply } from "../../../protocol/reply.js";
import { STEP_ITEMS } from "../../../protocol/steps.js";
import { messageFrame } from "./sql-frames.js";
import { numberText } from "./sql-numbers.js";

/** The form in which a connection receives relations. */
interface PageForm {
  /** The number of rows per page; each page repeats the columns. */
  readonly pageRows: number;
  /** The maximum length of an answer in characters. */
  readonly maxChars: number;
}

/** The reply to a query: a map of name, columns and rows. */
export type RelationReply = Extract<Reply, { kind: "map" }>;

/**
 * Creates the frame of a relation, in steps. With pages of 20 rows, the bytes are those of the original.
 * @returns null if it is longer than `maxChars`
 * @throws RangeError  a single row exceeds the maximum string length
 */
export function* relationFrame(
  reply: RelationReply,
  { pageRows, maxChars }: PageForm,
): Generator<void, ByteString | null> {
  const [, name, , columns, , rows] = reply.items as readonly [Reply, Reply, Reply, Reply, Reply, Reply];
  const all = itemsOf(rows);
  const pages = Math.max(1, Math.ceil(all.length / pageRows));
  const head = `"totalPages":${pages},"columns":[${headsText(columns)}],"rows":[`;
  const kind = `{"type":"relation","name":${cellText(name)},"page":`;
  // A text that grows by each cell would need several times the memory of its bytes.
  const written: ByteString[] = [];
  let text = "";
  let length = 0;
  for (let page = 1; page <= pages; page++) {
    text += `RELATION_JSON_PAGE ${page}/${pages}\n${kind}${page},${head}`;
    const from = (page - 1) * pageRows;
    const end = Math.min(all.length, from + pageRows);
    for (let i = from; i < end; i++) {
      text += i === from ? "[" : ",[";
      text += `${cellsText(itemsOf(all[i] as Reply))}]`;
      if (length + text.length > maxChars) return null;
      if (i % STEP_ITEMS < STEP_ITEMS - 1) continue;
      written.push(flat(text));
      length += text.length;
      text = "";
      yield;
    }
    text += "]}\n";
  }

  text += `RELATION_JSON_END\n${messageFrame("OK")}`;
  written.push(text);
  return length + text.length > maxChars ? null : written.join("");
}

/** Returns the same text in one piece, so that its parts can be released. */
const flat = (text: ByteString): ByteString => Buffer.from(text, "latin1").toString("latin1");

function headsText(columns: Reply): ByteString {
  let text = "";
  for (const column of itemsOf(columns)) {
    const [name, origin] = itemsOf(column) as readonly [Reply, Reply];
    text += `${text === "" ? "" : ","}{"name":${cellText(name)},"origin":${cellText(origin)}}`;
  }
  return text;
}

function cellsText(cells: readonly Reply[]): ByteString {
  let text = "";
  for (const cell of cells) text += text === "" ? cellText(cell) : `,${cellText(cell)}`;
  return text;
}

const itemsOf = (reply: Reply): readonly Reply[] => ("items" in reply ? reply.items : []);

/** Returns a cell as JSON. The bytes of texts remain unchanged, because JSON escapes only ASCII. */
function cellText(cell: Reply): ByteString {
  switch (cell.kind) {
    case "bulk":
      return JSON.stringify(cell.bytes);
    case "double":
      return numberText(cell.value);
    case "resp3":
      return cell.written === "#t\r\n" ? "true" : "false";
    default:
      return "null";
  }
}
