/** Runs MDB commands in tests: arguments and replies in Extended JSON, int32 as plain numbers. */

import "../../../../../test/support/all-families.js";
import { canonicalState } from "../../../../../daemon/store/canonical-state.js";
import { Database } from "../../../../../daemon/store/database.js";
import type { UndoRecord } from "../../../../../daemon/store/keyspace/undo.js";
import { type ByteString, bytesOfText, textOfBytes } from "../../../../../protocol/byte-string.js";
import type { Reply } from "../../../../../protocol/reply.js";
import { readBson } from "../../../store/values/bson-reader.js";
import { writeExtendedJson } from "../../../store/values/extended-json.js";

export class MdbUnderTest {
  readonly database = new Database();
  #units = 0;
  at = 1_000_000;
  records: UndoRecord[] = [];

  reply(...argv: readonly string[]): Reply {
    const unit = { at: this.at, db: 0, id: `unit-${this.#units++}` };
    return this.database.execute(argv.map(bytesOfText), unit, this.records);
  }

  /** Runs `MDB.<name> db c …` and returns the reply as text. */
  run(name: string, ...rest: readonly string[]): string {
    return textOf(this.reply(`MDB.${name}`, "db", "c", ...rest));
  }

  /** Returns the documents of db.c. */
  all(): string {
    return this.run("FIND", "{}");
  }

  state(): string {
    return canonicalState(this.database).join("\n");
  }
}

export function textOf(reply: Reply): string {
  if (reply.kind === "error") return reply.text;
  if (reply.kind === "integer") return String(reply.value);
  if (reply.kind === "status") return reply.text;
  if (reply.kind === "array") return reply.items.map(textOf).join(" ");
  if (reply.kind !== "bulk") throw new Error(`unexpected reply of kind ${reply.kind}`);
  return plain(reply.bytes);
}

function plain(bytes: ByteString): string {
  const json = bytes.startsWith("{") && (bytes.length < 4 || bytes.charCodeAt(3) > 1);
  const text = textOfBytes(json ? bytes : writeExtendedJson(readBson(bytes)));
  return text.replace(/\{"\$numberInt":"(-?\d+)"\}/g, "$1").replace(/"(\w+)":/g, "$1:");
}
