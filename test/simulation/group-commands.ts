/** The commands of the simulated clients on consumer groups: few streams, groups and ids, so that units conflict. */
import type { ByteString } from "../../protocol/byte-string.js";
import type { SeededRandom } from "../support/seeded-random.js";

type Argv = readonly ByteString[];

export class GroupCommands {
  readonly #random: SeededRandom;
  readonly #streams: number;
  /** The commands that all other commands depend on. Clients usually send them first. */
  readonly #first: Argv[];
  #count = 0;

  constructor(random: SeededRandom, streams: number) {
    this.#random = random;
    this.#streams = streams;
    this.#first = this.beginning();
  }

  beginning(): Argv[] {
    return Array.from({ length: this.#streams }, (_, i) => [
      "XGROUP",
      "CREATE",
      `x${i}`,
      "g",
      "0",
      "MKSTREAM",
    ]);
  }

  write(): Argv {
    const random = this.#random;
    const first = random.chance(0.7) ? this.#first.shift() : undefined;
    if (first !== undefined) return first;
    const kind = random.below(100);
    if (kind < 32) return this.#add();
    if (kind < 60) return this.#handOut();
    if (kind < 72) return ["XACK", this.key(), this.#group(), this.#id(), this.#id()];
    if (kind < 84) return this.#claim();
    if (kind < 93) return this.#keep();
    return this.#changeStream();
  }

  read(): Argv {
    return this.#random.oneOf<Argv>([
      ["XPENDING", this.key(), this.#group(), "-", "+", "9"],
      ["XINFO", "STREAM", this.key(), "FULL"],
      ["XINFO", "CONSUMERS", this.key(), this.#group()],
    ]);
  }

  key(): ByteString {
    return `x${this.#random.below(this.#streams)}`;
  }

  /** Adds an entry to a stream. Half of the ids are predictable, so that other commands may use them as well. */
  #add(): Argv {
    const id = this.#random.chance(0.5) ? "*" : `${this.#random.below(3)}-*`;
    return ["XADD", this.key(), id, "f", `v${++this.#count}`];
  }

  #handOut(): Argv {
    const random = this.#random;
    const count = random.chance(0.7) ? ["COUNT", String(random.between(1, 3))] : [];
    const noAck = random.chance(0.1) ? ["NOACK"] : [];
    const [key, other] = [this.key(), this.key()];
    const streams = random.chance(0.8) ? [key, random.chance(0.8) ? ">" : "0"] : [key, other, ">", ">"];
    return [
      "XREADGROUP",
      "GROUP",
      this.#group(),
      this.#consumer(),
      ...count,
      ...noAck,
      "STREAMS",
      ...streams,
    ];
  }

  #claim(): Argv {
    const random = this.#random;
    const of = [this.key(), this.#group(), this.#consumer(), random.oneOf(["0", "0", "500", "4000"])];
    const justId = random.chance(0.3) ? ["JUSTID"] : [];
    if (random.chance(0.6))
      return ["XAUTOCLAIM", ...of, "0", "COUNT", String(random.between(1, 4)), ...justId];
    const force = random.chance(0.4) ? ["FORCE"] : [];
    return ["XCLAIM", ...of, this.#id(), this.#id(), ...force, ...justId];
  }

  #keep(): Argv {
    const [key, group] = [this.key(), this.#group()];
    return this.#random.oneOf<Argv>([
      ["XGROUP", "CREATE", key, group, this.#random.oneOf(["0", "$"])],
      ["XGROUP", "SETID", key, group, this.#random.oneOf(["0", "$", this.#id()])],
      ["XGROUP", "DELCONSUMER", key, group, this.#consumer()],
      ["XGROUP", "CREATECONSUMER", key, group, this.#consumer()],
      ["XGROUP", "DESTROY", key, group],
    ]);
  }

  #changeStream(): Argv {
    return this.#random.oneOf<Argv>([
      ["XDEL", this.key(), this.#id()],
      ["XTRIM", this.key(), "MAXLEN", "3"],
      ["COPY", this.key(), this.key(), "REPLACE"],
      ["RENAME", this.key(), this.key()],
      ["DEL", this.key()],
      ["PEXPIRE", this.key(), this.#random.oneOf(["300", "3000", "60000"])],
    ]);
  }

  #id(): string {
    return `${this.#random.below(3)}-${this.#random.below(6)}`;
  }

  #group(): ByteString {
    return this.#random.oneOf(["g", "g", "g", "h"]);
  }

  #consumer(): ByteString {
    return `c${this.#random.below(3)}`;
  }
}
