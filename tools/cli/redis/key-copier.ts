/** Copies keys of a Redis to all daemons, in serialized form or, if that fails, by the commands of their types. */
import { createHash } from "node:crypto";
import { DbsyncError } from "../../../client/shared/errors.js";
import { type ByteString, textOfBytes } from "../../../protocol/byte-string.js";
import type { SendToAll } from "../shared/send-to-all.js";
import { bytesIn, RedisError, type RedisSource } from "./redis-source.js";
import { type Argv, piecesOf } from "./value-as-commands.js";

/**
 * Maximum length of a serialized value; longer values are copied in pieces, because the size of an envelope is limited.
 */
const DUMP_BYTES_MAX = 16 * 1024 * 1024;
/** Maximum number and total length of pieces in flight; each entry of a stream is a piece. */
export const PIECES_IN_FLIGHT_MAX = 500;
export const PIECE_BYTES_IN_FLIGHT_MAX = 1024 * 1024;
/** The error of a daemon, or of the Redis behind it, for an unknown serialization format. */
const UNKNOWN_FORM = /payload version or checksum|Bad data format/;

/**
 * The outcome of copying a key. `dump`: copied in serialized form; `pieces`: copied by the commands of its type;
 * `absent`: the key has expired or was deleted; `same`: its mark is unchanged; otherwise the reason why it was not
 * copied.
 */
export type CopyOutcome = "dump" | "pieces" | "absent" | "same" | { readonly reason: string };

/** Marks (hashes of value and expiry) of the copied keys; a key with an unchanged mark is not copied again. */
export type Marks = Map<ByteString, string>;

/** The mark of a key that was copied in pieces; it differs from all other marks. */
const UNMARKED = "";

export class KeyCopier {
  readonly #source: RedisSource;
  readonly #send: SendToAll;
  /** The command that reads the expiry: as a date if the server supports that, otherwise as the remaining time. */
  readonly #expiry: "PEXPIRETIME" | "PTTL";
  /** The reason why serialized values are refused, or null if none has been refused so far. */
  #refused: string | null = null;
  readonly #marks: Marks | null;

  private constructor(
    source: RedisSource,
    send: SendToAll,
    expiry: "PEXPIRETIME" | "PTTL",
    marks: Marks | null,
  ) {
    this.#source = source;
    this.#marks = marks;
    this.#send = send;
    this.#expiry = expiry;
  }

  /** @param marks  the marks of the keys copied so far, or null if all keys are copied */
  static async of(source: RedisSource, send: SendToAll, marks: Marks | null = null): Promise<KeyCopier> {
    const knowsDates = await source.query(["PEXPIRETIME", ""]).then(
      () => true,
      () => false,
    );
    return new KeyCopier(source, send, knowsDates ? "PEXPIRETIME" : "PTTL", marks);
  }

  /** The reason why all values are copied in pieces, or null if they are copied in serialized form. */
  get refused(): string | null {
    return this.#refused;
  }

  /** Copies the key's value and expiry to the daemons. @throws DbsyncError; Error  a connection failed */
  async copy(key: ByteString): Promise<CopyOutcome> {
    const expiryReply = this.#source.query([this.#expiry, key]);
    const dumpReply = this.#refused === null ? this.#source.query(["DUMP", key]) : null;
    const [expiry, dump] = await Promise.allSettled([expiryReply, dumpReply]);
    if (expiry.status === "rejected") throw expiry.reason;
    const expires = this.#dateOf(Number(bytesIn(expiry.value)));
    if (dump.status === "rejected") {
      if (!(dump.reason instanceof RedisError)) throw dump.reason;
      this.#refused = `DUMP: ${dump.reason.message}`;
      return await this.#copyPieces(key, expires);
    }
    if (dump.value === null) return await this.#copyPieces(key, expires);
    if (dump.value.kind !== "bulk") return "absent";
    const { bytes } = dump.value;
    const mark = this.#marks === null ? UNMARKED : markOf(bytes, expires);
    if (mark !== UNMARKED && this.#marks?.get(key) === mark) return "same";
    if (bytes.length > DUMP_BYTES_MAX) return await this.#copyPieces(key, expires);
    try {
      await this.#write(["RESTORE", key, String(expires ?? 0), bytes, "REPLACE", "ABSTTL"]);
      this.#marks?.set(key, mark);
      return "dump";
    } catch (problem) {
      if (!(problem instanceof DbsyncError) || !UNKNOWN_FORM.test(problem.message)) throw problem;
      if (/payload version/.test(problem.message))
        this.#refused = "RESTORE: the daemons do not know this newer format";
      return await this.#copyPieces(key, expires);
    }
  }

  async #copyPieces(key: ByteString, expires: number | null): Promise<CopyOutcome> {
    const type = bytesIn(await this.#source.query(["TYPE", key]));
    if (type === "none") return "absent";
    const pieces = piecesOf(type);
    if (pieces === null) return { reason: `its type is ${textOfBytes(type)}` };
    // Until the copy is complete, no mark may say that the key was copied.
    this.#marks?.set(key, UNMARKED);
    await this.#write(["DEL", key]);
    await this.#writeAll(pieces(this.#source, key));
    if (expires !== null) await this.#write(["PEXPIREAT", key, String(expires)]);
    return "pieces";
  }

  /**
   * Sends commands. Commands that are in flight together keep their order, because the client assigns their dates in
   * the order of the calls.
   */
  async #writeAll(all: AsyncIterable<Argv>): Promise<void> {
    let together: Argv[] = [];
    let bytes = 0;
    const flush = async () => {
      const sent = together;
      [together, bytes] = [[], 0];
      await Promise.all(sent.map((argv) => this.#write(argv)));
    };
    for await (const argv of all) {
      const length = argv.reduce((sum, argument) => sum + argument.length, 0);
      if (bytes + length > PIECE_BYTES_IN_FLIGHT_MAX || together.length === PIECES_IN_FLIGHT_MAX)
        await flush();
      together.push(argv);
      bytes += length;
    }
    await flush();
  }

  async #write(argv: Argv): Promise<void> {
    await this.#send(argv.map((argument) => Buffer.from(argument, "latin1")));
  }

  /** Returns milliseconds since 1970, or null if the key does not expire or no longer exists. */
  #dateOf(answer: number): number | null {
    if (answer < 0) return null;
    return this.#expiry === "PEXPIRETIME" ? answer : Date.now() + answer;
  }
}

const markOf = (dump: ByteString, expires: number | null): string =>
  createHash("sha1").update(`${expires} `).update(dump, "latin1").digest("base64");
