/** A database for tests of commands: each run is a separate unit, at a time that the test sets, with a known seed. */

import "../../../support/installed-families.js";
import { canonicalState } from "../../../../daemon/store/canonical-state.js";
import { Database } from "../../../../daemon/store/database.js";
import type { UndoRecord } from "../../../../daemon/store/keyspace/undo.js";
import type { ByteString } from "../../../../protocol/byte-string.js";
import type { Reply } from "../../../../protocol/reply.js";
import { shown } from "../../../conformance/resp2-fold.js";

export class StoreUnderTest {
  readonly #database = new Database();
  #units = 0;
  /** The date of the next command, in milliseconds since 1970. */
  at = 1_000_000;
  /** Undo records of all commands that have run. */
  #records: UndoRecord[] = [];

  /** Runs a command with arguments separated by spaces, and returns its reply. */
  reply(line: string, id?: ByteString): Reply {
    return this.#database.execute(line.split(" "), this.#unit(id), this.#records);
  }

  /**
   * Runs a command. @returns its reply as text: `:1`, `"bytes"`, `nil`, `nil-array`, `["a" :1]`, `+"OK"`, `-"ERR …"`
   */
  run(line: string, id?: ByteString): string {
    return shown(this.reply(line, id));
  }

  /** Runs a command. @returns the number of its undo records: 0 if it changed nothing */
  changes(line: string): number {
    const before = this.#records.length;
    this.reply(line);
    return this.#records.length - before;
  }

  /** Returns the complete state, including the order inside values. */
  state(): string {
    return canonicalState(this.#database).join("\n");
  }

  /** Runs commands, undoes them, and returns whether the state is the same as before. */
  isUndone(...lines: readonly string[]): boolean {
    const before = this.state();
    const earlier = this.#records;
    this.#records = [];
    for (const line of lines) this.reply(line);
    const isChanged = this.state() !== before;
    this.#database.undo(this.#records);
    this.#records = earlier;
    return isChanged && this.state() === before;
  }

  #unit(id: ByteString = `unit-${this.#units++}`): { at: number; db: number; id: ByteString } {
    return { at: this.at, db: 0, id };
  }
}
