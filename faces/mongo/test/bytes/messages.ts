/** Builds messages of MongoDB clients, without a driver. */

import type { ByteString } from "../../../../protocol/byte-string.js";
import { int32Bytes } from "../../bytes/bson-documents.js";
import { crc32c } from "../../bytes/mongo-message.js";

export const OP_MSG = 2013;
export const OP_QUERY = 2004;

/** @param rest  the bytes after the header */
export function message(rest: ByteString, opcode = OP_MSG, id = 7): ByteString {
  return `${int32Bytes(16 + rest.length)}${int32Bytes(id)}${int32Bytes(0)}${int32Bytes(opcode)}${rest}`;
}

/** @param document  the body */
export const command = (document: ByteString, id = 7): ByteString =>
  message(`${int32Bytes(0)}\0${document}`, OP_MSG, id);

export function sequence(name: string, documents: readonly ByteString[]): ByteString {
  const rest = `${name}\0${documents.join("")}`;
  return `\x01${int32Bytes(rest.length + 4)}${rest}`;
}

export const query = (collection: string, document: ByteString): ByteString =>
  message(`${int32Bytes(0)}${collection}\0${int32Bytes(0)}${int32Bytes(-1)}${document}`, OP_QUERY);

/** Returns a message with a checksum. @param sections  the bytes after the flags */
export function summed(sections: ByteString): ByteString {
  const whole = message(`${int32Bytes(1)}${sections}\0\0\0\0`).slice(0, -4);
  return `${whole}${int32Bytes(crc32c(Buffer.from(whole, "latin1")) | 0)}`;
}
