/** Writes the body of a new envelope. envelope.ts parses it. */
import type { ByteString } from "../byte-string.js";
import { commandLength, putCommand, writeArrayHead, writeBulk, writeCommand } from "../resp/resp-writer.js";
import {
  BODY_START,
  type Choice,
  type Condition,
  type Envelope,
  type HeaderFields,
  MAGIC,
  signedStart,
} from "./envelope.js";

/** Writes a body. @param commands  RESP arrays from `writeCommand` */
export function writeBody(header: HeaderFields, commands: readonly ByteString[]): ByteString {
  return bodyStart(header, commands.length) + commands.join("");
}

/** Returns the part of the body before the commands. */
function bodyStart(header: HeaderFields, commands: number): ByteString {
  const { key, cluster, at, seq, nonce, db = 0, multi = false, after, only, as } = header;
  let pairs = 5;
  let bytes = `$3\r\nkey\r\n${writeBulk(key)}$7\r\ncluster\r\n${writeBulk(cluster)}`;
  bytes += `$2\r\nat\r\n${writeBulk(String(at))}$3\r\nseq\r\n${writeBulk(String(seq))}$5\r\nnonce\r\n${writeBulk(nonce)}`;

  const add = (name: string, value: ByteString) => {
    pairs++;
    bytes += writeBulk(name) + value;
  };

  if (db !== 0) add("db", writeBulk(String(db)));
  if (multi) add("multi", writeBulk("1"));
  if (header.units) add("units", writeCommand(header.units.map(String)));
  if (header.if) add("if", writeConditions(header.if));
  if (header.ifs) add("ifs", writeByIndex(header.ifs, writeConditions));
  if (after) add("after", writeBulk(after));
  if (only) add("only", writeBulk(only));
  if (as) add("as", writeBulk(as));
  if (header.choices) add("choices", writeByIndex(header.choices, writeChoice));
  if (header.expiries)
    add(
      "expiries",
      writeByIndex(header.expiries, (expiry) => writeBulk(String(expiry))),
    );
  if (header.decide) add("decide", writeBulk("1"));

  return `${writeArrayHead(2 + commands)}$7\r\n${MAGIC}\r\n${writeArrayHead(2 * pairs)}${bytes}`;
}

const writeConditions = (conditions: readonly Condition[]): ByteString =>
  writeCommand(conditions.flatMap(({ db, key, writer }) => [String(db), key, writer]));

function writeByIndex<Value>(
  values: ReadonlyMap<number, Value>,
  write: (value: Value) => ByteString,
): ByteString {
  let bytes = writeArrayHead(2 * values.size);
  for (const [index, value] of values) bytes += writeBulk(String(index)) + write(value);
  return bytes;
}

const writeChoice = (choice: Choice): ByteString =>
  choice.length === 0 ? writeArrayHead(0) : writeCommand(choice);

/**
 * Returns `signedBytes` of the body that `writeBody` would write, without creating a string for each of many commands.
 */
export function writeSigned(header: HeaderFields, commands: Envelope["commands"]): Buffer {
  const start = bodyStart(header, commands.length);
  let length = start.length;
  for (const argv of commands) length += commandLength(argv);
  const bytes = signedStart(length, BODY_START + length);
  let end = BODY_START + bytes.write(start, BODY_START, "latin1");
  for (const argv of commands) end = putCommand(bytes, end, argv);
  return bytes;
}
