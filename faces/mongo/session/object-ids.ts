/**
 * Creates ids for documents that clients send without one. Source: MongoDB's specification of ObjectId: seconds, five
 * random bytes, a counter.
 */

import type { Environment } from "../../../daemon/net/process/clock-and-randomness.js";
import { type ByteString, bytesOf } from "../../../protocol/byte-string.js";
import { type BsonValue, objectId } from "../bytes/bson-document-writer.js";

const RANDOM_BYTES = 5;
const COUNT_BYTES = 3;
const COUNTS = 2 ** (8 * COUNT_BYTES);

export class ObjectIds {
  readonly #environment: Environment;
  readonly #random: ByteString;
  readonly #bytes = Buffer.alloc(4 + RANDOM_BYTES + COUNT_BYTES);
  #count: number;

  constructor(environment: Environment) {
    this.#environment = environment;
    this.#random = environment.randomBytes(RANDOM_BYTES);
    this.#count = Buffer.from(environment.randomBytes(COUNT_BYTES), "latin1").readUIntBE(0, COUNT_BYTES);
  }

  next(): BsonValue {
    this.#count = (this.#count + 1) % COUNTS;
    const bytes = this.#bytes;
    bytes.writeUInt32BE(Math.floor(this.#environment.clock() / 1000) >>> 0, 0);
    bytes.write(this.#random, 4, "latin1");
    bytes.writeUIntBE(this.#count, 4 + RANDOM_BYTES, COUNT_BYTES);
    return objectId(bytesOf(bytes));
  }
}
