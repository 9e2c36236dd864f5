/** Units for commands that are applied where they arrive and carry neither date nor id: of version 1 and RESP. */
import type { ByteString } from "../protocol/byte-string.js";
import { unitId } from "../protocol/envelope.js";
import type { Unit } from "../store/unit.js";
import type { Environment } from "./environment.js";
import type { Newest } from "./newest.js";

const INSTANCE_BYTES = 32;
const COUNTER_MOST = 0xffffffff;

export class LocalUnits {
  readonly #environment: Pick<Environment, "clock" | "randomBytes">;
  readonly #newest: Newest;
  /** Tells this process's units from those of all others; a counter tells them from each other. */
  #instance: ByteString;
  #counter = 0;
  /** Of the ids to come all but the last byte, so that one of them costs no more than that byte. */
  #head: ByteString = "";

  /** @param newest  raised to each unit's date */
  constructor(environment: Pick<Environment, "clock" | "randomBytes">, newest: Newest) {
    this.#environment = environment;
    this.#newest = newest;
    this.#instance = environment.randomBytes(INSTANCE_BYTES);
  }

  /** Dated now, but never before anything that was applied. @param now  milliseconds since 1970 */
  next(db: number, now = this.#environment.clock()): Unit {
    if (this.#counter === COUNTER_MOST) {
      this.#instance = this.#environment.randomBytes(INSTANCE_BYTES);
      this.#counter = 0;
      this.#head = "";
    }
    const last = ++this.#counter & 0xff;
    if (last === 0 || this.#head === "") this.#head = unitId(this.#instance, this.#counter).slice(0, -1);
    this.#newest.raise(now, 0);
    return { at: this.#newest.at, db, id: this.#head + String.fromCharCode(last) };
  }
}
