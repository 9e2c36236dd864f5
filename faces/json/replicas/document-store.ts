/**
 * Reads and replaces complete documents of an in-memory daemon, for the exchange with the servers of --json-replica.
 * Errors are returned as replies.
 */
import { type CommandPath, newLastWrite } from "../../../daemon/engine/backends/command-path.js";
import type { Environment } from "../../../daemon/net/process/clock-and-randomness.js";
import { CommandFailure } from "../../../daemon/store/arguments/command-errors.js";
import { commandTable } from "../../../daemon/store/command-table.js";
import type { ByteString } from "../../../protocol/byte-string.js";
import { OK, type Reply } from "../../../protocol/reply.js";
import { bytesOf, itemsOf } from "../messages/json-answers.js";

export interface DocumentEntry {
  readonly key: ByteString;
  /** The entry as JSON. */
  readonly text: ByteString;
}

/** The entries of a document as it is sent or fetched, or null if the document does not exist. */
export type Contents = readonly DocumentEntry[] | null;

export class DocumentStore {
  readonly #path: CommandPath;
  readonly #environment: Environment;
  readonly #lastWrite = newLastWrite();

  constructor(path: CommandPath, environment: Environment) {
    this.#path = path;
    this.#environment = environment;
  }

  has(document: ByteString): boolean {
    return this.run(["DOC.GET", document, "LIMIT", "0", "0"]).kind !== "error";
  }

  run(argv: readonly ByteString[]): Reply {
    const command = commandTable.resolve(argv);
    if (command instanceof CommandFailure) return command.reply;

    const now = this.#environment.clock();
    const reply = this.#path.execute(command, argv, {
      db: 0,
      now,
      as: null,
      readsAll: true,
      isStable: false,
      lastWrite: this.#lastWrite,
    });
    if (reply instanceof Promise) throw new Error("--json-replica requires the in-memory database");

    return reply;
  }

  contentsOf(document: ByteString): Contents {
    const reply = this.run(["DOC.GET", document]);
    if (reply.kind === "error") return null;
    const items = itemsOf(reply);
    const entries: DocumentEntry[] = [];
    for (let at = 0; at < items.length; at += 2)
      entries.push({ key: bytesOf(items[at]), text: bytesOf(items[at + 1]) });
    return entries;
  }

  /** Returns the id of a document's first entry, or an empty id if the document has no entries. */
  firstKey(document: ByteString): ByteString {
    return bytesOf(itemsOf(this.run(["DOC.GETKEYS", document]))[0]);
  }

  /**
   * Returns whether the ids of the document's n entries are 0 to n - 1. The caller has just deleted an entry, which
   * renumbered the numeric ids from 0 on. Therefore, if n - 1 is one of the ids, all ids are numeric.
   */
  hasConsecutiveIds(document: ByteString): boolean {
    const count = this.run(["DOC.COUNT", document]);
    if (count.kind !== "integer" || Number(count.value) === 0) return count.kind === "integer";
    const last = String(Number(count.value) - 1);
    return itemsOf(this.run(["DOC.GET", document, "ID", last])).length > 0;
  }

  /**
   * Replaces the contents of a document in one turn, so that no client sees a partial state. If this fails, the
   * document stays unchanged. @returns an error, or the last reply
   */
  replace(document: ByteString, contents: Contents): Reply {
    const before = this.contentsOf(document);
    if (contents === null) return before === null ? OK : this.run(["DOC.DROP", document]);
    const first = before === null ? "DOC.CREATE" : "DOC.EMPTY";
    const replaced = this.#refill(first, document, contents);
    if (replaced.kind !== "error") return replaced;
    if (before === null) this.run(["DOC.DROP", document]);
    else this.#refill("DOC.EMPTY", document, before);
    return replaced;
  }

  #refill(first: ByteString, document: ByteString, entries: readonly DocumentEntry[]): Reply {
    const emptied = this.run([first, document]);
    if (emptied.kind === "error" || entries.length === 0) return emptied;
    const args = ["DOC.INSERT", document, "NOCHECK", "KEYS"];
    for (const { key, text } of entries) args.push(key, text);
    return this.run(args);
  }
}
