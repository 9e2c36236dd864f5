/** The documents of a daemon in memory alone, whole: what its replicas are sent, and what it is sent by them. Errors are replies. */
import { createHash } from "node:crypto";
import type { CommandPath } from "../../../engine/users/command-path.js";
import type { Environment } from "../../../net/process/environment.js";
import type { ByteString } from "../../../protocol/byte-string.js";
import { error, OK, type Reply } from "../../../protocol/reply.js";
import { CommandFailure } from "../../../store/arguments/errors.js";
import { resolveCommand } from "../../../store/command-table.js";
import { bulksOf, bytesOf, itemsOf } from "../messages/reply-parts.js";

export interface Entry {
  readonly key: ByteString;
  readonly text: ByteString;
  /** Milliseconds since 1970; null: it stays. */
  readonly expires: number | null;
}

/** A document as it is; null: it is not there. */
export type Contents = {
  readonly entries: readonly Entry[];
  /** Names of the members that have an index. */
  readonly indexes: readonly ByteString[];
} | null;

/** Milliseconds by which clocks of servers may differ. A later date would end, here and from now on, all that is to go until then. */
const AHEAD_MOST_MS = 60_000;
const NO_DOCUMENT_WRITE = error("ERR A replica tells writes of documents, and nothing else.");
const TOO_FAR_AHEAD = error(
  `ERR The write is dated more than ${AHEAD_MOST_MS / 1000} s ahead of the clock here: set the clocks right.`,
);

const IN_MEMORY_ALONE = "--json-replica stands with the database in memory alone";

export class DocumentStore {
  readonly #path: CommandPath;
  readonly #environment: Environment;
  /** Digests, each with the unit that changed its document last. */
  readonly #digests = new Map<ByteString, { readonly writer: ByteString; readonly digest: string }>();

  constructor(path: CommandPath, environment: Environment) {
    this.#path = path;
    this.#environment = environment;
  }

  /** The oldest first. */
  get names(): ByteString[] {
    return bulksOf(this.run(["DOC.LIST"]));
  }

  has(document: ByteString): boolean {
    return this.run(["DOC.GET", document, "LIMIT", "0", "0"]).kind !== "error";
  }

  get now(): number {
    return this.#environment.clock();
  }

  /** @param now  milliseconds since 1970 */
  run(argv: readonly ByteString[], now = this.now): Reply {
    const command = resolveCommand(argv);
    if (command instanceof CommandFailure) return command.reply;
    const sender = { db: 0, now, as: null, readsAll: true, isStable: false };
    const reply = this.#path.execute(command, argv, sender);
    if (reply instanceof Promise) throw new Error(IN_MEMORY_ALONE);
    return reply;
  }

  /** A write of which another server tells: whatever it may do besides, it changes documents here, and nothing else. */
  apply(argv: readonly ByteString[], now: number): Reply {
    const command = resolveCommand(argv);
    if (command instanceof CommandFailure) return command.reply;
    if (command.group !== "document" || !command.writes) return NO_DOCUMENT_WRITE;
    return now > this.now + AHEAD_MOST_MS ? TOO_FAR_AHEAD : this.run(argv, now);
  }

  /** @param now  milliseconds since 1970 */
  contentsOf(document: ByteString, now = this.now): Contents {
    const reply = this.run(["DOC.GET", document, "DETAILS"], now);
    if (reply.kind === "error") return null;
    const items = itemsOf(reply);
    const entries: Entry[] = [];
    for (let at = 0; at < items.length; at += 2) {
      const [text, , expires] = itemsOf(items[at + 1]);
      entries.push({
        key: bytesOf(items[at]),
        text: bytesOf(text),
        expires: expires?.kind === "integer" ? Number(expires.value) : null,
      });
    }
    return { entries, indexes: this.#indexesOf(document, now) };
  }

  /** The same for the same contents; "": the document is not there. */
  digestOf(document: ByteString): string {
    const writers = this.#path.writersOf(0, [document]);
    if (writers instanceof Promise) throw new Error(IN_MEMORY_ALONE);
    const [writer = ""] = writers;
    const known = this.#digests.get(document);
    if (known !== undefined && known.writer === writer) return known.digest;
    const contents = this.contentsOf(document);
    const digest = contents === null ? "" : digestOf(contents);
    // What expires changes without a writer.
    const isLasting = contents?.entries.every(({ expires }) => expires === null) === true;
    if (isLasting) this.#digests.set(document, { writer, digest });
    else this.#digests.delete(document);
    return digest;
  }

  /**
   * In one turn: nobody sees a part of it. Where it is refused the document stays as it was.
   * @param isNew  whether it is to be the youngest document @returns an error, or what came last
   */
  replace(document: ByteString, contents: Contents, isNew: boolean): Reply {
    // One moment for all: what is there at its beginning expires no earlier than its end.
    const { now } = this;
    const before = this.contentsOf(document, now);
    if (contents === null) return before === null ? OK : this.run(["DOC.DROP", document], now);
    if (before === null) return this.#make(document, contents, now);
    const replaced = this.#runAll(refilling(document, contents, before.indexes), now);
    if (replaced.kind === "error") {
      // It is emptied, not dropped: the age that it has is its place among all.
      this.#runAll(refilling(document, before, this.#indexesOf(document, now)), now);
      return replaced;
    }
    if (!isNew) return replaced;
    this.run(["DOC.DROP", document], now);
    return this.#make(document, contents, now);
  }

  #make(document: ByteString, contents: Exclude<Contents, null>, now: number): Reply {
    const created = this.run(["DOC.CREATE", document], now);
    if (created.kind === "error") return created;
    const made = this.#runAll(filling(document, contents), now);
    if (made.kind === "error") this.run(["DOC.DROP", document], now);
    return made;
  }

  /** Up to the first one that is refused. */
  #runAll(commands: readonly ByteString[][], now: number): Reply {
    let reply: Reply = OK;
    for (const argv of commands) {
      reply = this.run(argv, now);
      if (reply.kind === "error") return reply;
    }
    return reply;
  }

  #indexesOf(document: ByteString, now: number): ByteString[] {
    return bulksOf(this.run(["DOC.INDEX", "LIST", document], now));
  }
}

/** Of a document that is there. @param indexes  that it has */
function refilling(
  document: ByteString,
  contents: Exclude<Contents, null>,
  indexes: readonly ByteString[],
): ByteString[][] {
  const dropped = indexes.filter((name) => !contents.indexes.includes(name));
  return [
    ["DOC.EMPTY", document],
    ...dropped.map((name) => ["DOC.INDEX", "DROP", document, name]),
    ...filling(document, contents),
  ];
}

/** Of one without entries. */
const filling = (document: ByteString, { entries, indexes }: Exclude<Contents, null>): ByteString[][] => [
  ...indexes.map((name) => ["DOC.INDEX", "CREATE", document, name]),
  ...inserts(document, entries),
];

/** A command for entries that stay equally long. */
function inserts(document: ByteString, entries: readonly Entry[]): ByteString[][] {
  const commands: ByteString[][] = [];
  let words: ByteString[] = [];
  let last: number | null | undefined;
  for (const { key, text, expires } of entries) {
    if (expires !== last) {
      const lifetime = expires === null ? [] : ["PXAT", String(expires)];
      words = ["DOC.INSERT", document, ...lifetime, "NOCHECK", "KEYS"];
      commands.push(words);
      last = expires;
    }
    words.push(key, text);
  }
  return commands;
}

function digestOf({ entries, indexes }: Exclude<Contents, null>): string {
  const hash = createHash("sha256");
  for (const { key, text, expires } of entries)
    hash.update(`${key.length} ${text.length} ${expires ?? "-"} ${key}${text}`, "latin1");
  hash.update(` ${JSON.stringify(indexes)}`);
  return hash.digest("base64");
}
