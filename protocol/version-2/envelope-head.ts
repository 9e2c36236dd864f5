/**
 * Reads the signer's id and the date of an envelope before its signature is verified. Nothing after the date is parsed,
 * however long the body is, and no strings are created for names from an unauthenticated client.
 * Source: docs/protocol-v2.md "Envelope".
 */

import type { ByteString } from "../byte-string.js";
import { MalformedFrame } from "../errors.js";
import { RespReader } from "../resp/resp-reader.js";
import { type EnvelopeHead, readStart, SEQ_MAX, signerOf } from "./envelope.js";

/** The maximum number of strings in an array before the date. The longest one is `if`: three strings per condition. */
const ARRAY_MAX = 3 * 1024;
const STAR = 0x2a;
const AT = Buffer.from("at");
const SEQ = Buffer.from("seq");

/**
 * Reads the head of a body whose signature was not verified. The remainder may be malformed.
 * @throws MalformedFrame  the offset counts from the start of the body
 */
export function readHead(body: Buffer): EnvelopeHead {
  const key = signerOf(body);
  const reader = new RespReader(body);
  const { names } = readStart(reader);

  let at = Number.NaN;
  let seq = Number.NaN;
  for (let i = 0; i < names && Number.isNaN(at + seq); i += 2) {
    const name = reader.readBulkView();
    if (name.equals(AT)) at = reader.readBulkDecimal();
    else if (name.equals(SEQ)) seq = reader.readBulkDecimal();
    else skipValue(reader, body);
  }

  if (!(at <= Number.MAX_SAFE_INTEGER && seq <= SEQ_MAX))
    throw reader.malformed("expected a date in the header: at and seq");
  return { key, at, seq };
}

/** Returns the name of the first command of a body whose end may be missing; "" if it is not complete. */
export function firstCommandName(body: Buffer): ByteString {
  try {
    const reader = new RespReader(body);
    const { names } = readStart(reader);
    for (let i = 0; i < names; i += 2) {
      reader.readBulkView();
      skipValue(reader, body);
    }
    reader.readArrayHead();
    return reader.readBulk();
  } catch (problem) {
    if (problem instanceof MalformedFrame) return "";
    throw problem;
  }
}

function skipValue(reader: RespReader, body: Buffer): void {
  const length = body[reader.offset] === STAR ? reader.readArrayHead() : 1;
  if (length > ARRAY_MAX) throw reader.malformed("expected a shorter value in the header");
  for (let i = 0; i < length; i++) reader.readBulkView();
}
