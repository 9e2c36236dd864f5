/** Parses an order key from the header field `after`. Source: docs/protocol-v2.md "Units". */
import type { ByteString } from "../../../protocol/byte-string.js";
import type { OrderKey } from "../../timeline/entries/entry.js";

const SEQ_AT = 8;
const ID_AT = 10;
const ID_END = 42;

/** @param orderKey  46 bytes */
export function parseOrderKey(orderKey: ByteString): OrderKey {
  const bytes = Buffer.from(orderKey, "latin1");
  const [at, seq] = [Number(bytes.readBigUInt64BE()), bytes.readUInt16BE(SEQ_AT)];
  return { at, seq, id: orderKey.slice(ID_AT, ID_END) };
}
