/**
 * Parses requests of memcached's text protocol from a stream of bytes: a line and, for a storage command, a block of
 * data. Source: memcached's doc/protocol.txt; test/vectors/memcached contains the answers of memcached 1.6.18.
 */
import { type ByteString, bytesOf } from "../../../protocol/byte-string.js";
import { ReceiveBuffer } from "../../../protocol/receive-buffer.js";
import { readMetaCount, readMetaDelete, readMetaGet, readMetaStore } from "./meta-commands.js";
import type { Announced, Line, MemcachedRequest, Wrong } from "./request-types.js";
import {
  BAD_FORMAT,
  ERROR,
  exptimeOf,
  flagsOf,
  KEY_BYTES_MAX,
  LENGTH_MAX,
  uint64,
  unsigned,
  wrong,
} from "./request-words.js";

/** The maximum length of a line. `get` may name many keys. */
const LINE_BYTES_MAX = 256 * 1024;
/** The first byte of each request of the binary protocol. */
const BINARY_MAGIC = 0x80;
const LINE_FEED = 0x0a;

const NOREPLY = "noreply";

const BAD_CHUNK = wrong("bad data chunk");

const LIMIT_TOO_SMALL: Wrong = {
  kind: "wrong",
  answer: "MEMLIMIT_TOO_SMALL cannot set maxbytes to less than 8m\r\n",
};
const LIMIT_TOO_LARGE: Wrong = {
  kind: "wrong",
  answer: "MEMLIMIT_ADJUST_FAILED input value is megabytes not bytes\r\n",
};

const HTTP = /^(?:[A-Z]+ \S+ HTTP\/|Host:)/i;

/** Returns a refusal, without its answer if the client does not read one because of `noreply`. */
function refused(refusal: Wrong, isSilent: boolean): Wrong {
  return isSilent ? { kind: "wrong", answer: "" } : refusal;
}

export class MemcachedParser {
  /** The maximum length of an item's data. It may be changed between two chunks. */
  maxItemBytes: number;
  readonly #input = new ReceiveBuffer();
  /** The number of waiting bytes that are known to contain no line ending. */
  #scanned = 0;
  /** The item whose data are incomplete, or null if there is none. */
  #announced: Announced | null = null;
  /** The number of bytes of an item that is too large that must still be skipped. */
  #skipped = 0;
  /** Whether the connection began with a request of the binary protocol, or null if no byte has arrived yet. */
  #isBinary: boolean | null = null;

  constructor(maxItemBytes: number) {
    this.maxItemBytes = maxItemBytes;
  }

  /** The number of received bytes that belong to no returned request. */
  get heldBytes(): number {
    return this.#input.heldBytes;
  }

  get isMidRequest(): boolean {
    return this.#input.length > 0 || this.#announced !== null || this.#skipped > 0;
  }

  /** Whether the client speaks the binary protocol, which is not supported. */
  get isBinary(): boolean {
    return this.#isBinary ?? false;
  }

  /** Whether a line is too long. The parser then returns no more requests. */
  get isTooLong(): boolean {
    return this.#announced === null && this.#scanned > LINE_BYTES_MAX;
  }

  /** Adds received bytes, which must not be changed before `copyUnread`. */
  push(chunk: Buffer): void {
    this.#isBinary ??= chunk[0] === BINARY_MAGIC;
    const skipped = Math.min(this.#skipped, chunk.length);
    this.#skipped -= skipped;
    const announced = this.#announced;
    this.#input.push(chunk.subarray(skipped), announced === null ? undefined : announced.bytes + 2);
  }

  /** Copies the unused part of the last chunk, which may then be changed. */
  copyUnread(): void {
    this.#input.copyUnread();
  }

  /** Returns the next complete request; null if it has not arrived. */
  next(): MemcachedRequest | null {
    if (this.isBinary) return null;
    if (this.#announced === null) {
      const text = this.#line();
      if (text === null) return null;

      const line = readLine(text);
      if (line.kind === "refused") {
        this.#skip(line.bytes + 2);
        return line.refusal;
      }
      if (line.kind !== "store") return line;

      if (line.bytes > this.maxItemBytes) {
        this.#skip(line.bytes + 2);
        const { verb, key, isSilent } = line;
        return { kind: "too-large", verb, key, isSilent };
      }
      this.#announced = line;
    }

    return this.#stored(this.#announced);
  }

  #line(): ByteString | null {
    if (this.isTooLong) return null;
    const { bytes, at, end } = this.#input;
    const found = bytes.subarray(at, end).indexOf(LINE_FEED, this.#scanned);
    this.#scanned = found < 0 ? end - at : found;
    if (found < 0 || this.isTooLong) return null;
    const line = bytesOf(bytes, at, at + found);
    this.#consume(found + 1);
    return line.endsWith("\r") ? line.slice(0, -1) : line;
  }

  #stored({ bytes: length, verb, ...request }: Announced): MemcachedRequest | null {
    if (this.#input.length < length + 2) return null;
    const { bytes, at } = this.#input;
    const end = at + length;
    const data = bytesOf(bytes, at, end);
    const isComplete = bytesOf(bytes, end, end + 2) === "\r\n";
    this.#consume(length + 2);
    this.#announced = null;
    return isComplete ? { ...request, verb, data } : refused(BAD_CHUNK, request.isSilent);
  }

  #skip(bytes: number): void {
    const available = Math.min(bytes, this.#input.length);
    this.#consume(available);
    this.#skipped = bytes - available;
  }

  #consume(bytes: number): void {
    this.#input.skip(bytes);
    this.#scanned = 0;
  }
}

function readLine(line: ByteString): Line {
  const [verb = "", ...args] = line.split(" ").filter((word) => word !== "");
  switch (verb) {
    case "get":
    case "gets":
      if (args.length === 0) break;
      if (args.some((key) => key.length > KEY_BYTES_MAX)) return BAD_FORMAT;
      return { kind: "get", keys: args, withUnique: verb === "gets" };
    case "gat":
    case "gats":
      return readGetAndTouch(verb, args);
    case "set":
    case "add":
    case "replace":
    case "cas":
    case "append":
    case "prepend":
      return readStore(verb, args);
    case "delete":
      return readDelete(args);
    case "incr":
    case "decr":
    case "touch":
      return readChange(verb, args);
    case "flush_all":
      return readFlush(args);
    case "mg":
      return readMetaGet(args);
    case "ms":
      return readMetaStore(args);
    case "md":
      return readMetaDelete(args);
    case "ma":
      return readMetaCount(args);
    case "mn":
      return { kind: "wrong", answer: "MN\r\n" };
    case "stats":
      return { kind: "stats", about: args[0] ?? "" };
    case "verbosity":
      return readVerbosity(args);
    case "cache_memlimit":
      return readMemoryLimit(args);
    case "version":
    case "quit":
      return { kind: verb };
  }
  if (HTTP.test(line)) return { kind: "http" };

  return ERROR;
}

/** Parses a number and optionally `noreply`. The daemon's log has levels of its own, so the number changes nothing. */
function readVerbosity(args: readonly ByteString[]): Line {
  const isSilent = args.at(-1) === NOREPLY;
  if (args.length === 0) return ERROR;
  if (uint64(args[0] ?? "") === null) return refused(BAD_FORMAT, isSilent);
  return { kind: "wrong", answer: isSilent ? "" : "OK\r\n" };
}

/** The bounds of the memory limit in MiB, as in memcached. */
const MEMORY_LIMIT_MIN = 8;
const MEMORY_LIMIT_MAX = 1_000_000_000;
const MEMORY_LIMIT_BITS = 32;

/** Parses a number of MiB, and optionally `noreply`. Like memcached, uses only the lower 32 bits of the number. */
function readMemoryLimit(args: readonly ByteString[]): Line {
  if (args.length === 0 || args.length > 2) return ERROR;
  const isSilent = args.at(-1) === NOREPLY;
  const number = uint64(args[0] ?? "");
  if (number === null) return refused(ERROR, isSilent);
  const mebibytes = Number(BigInt.asUintN(MEMORY_LIMIT_BITS, number));
  if (mebibytes < MEMORY_LIMIT_MIN) return refused(LIMIT_TOO_SMALL, isSilent);
  if (mebibytes > MEMORY_LIMIT_MAX) return refused(LIMIT_TOO_LARGE, isSilent);
  return { kind: "memory-limit", mebibytes, isSilent };
}

/** Parses `exptime key...`. */
function readGetAndTouch(verb: "gat" | "gats", [first, ...keys]: readonly ByteString[]): Line {
  if (first === undefined) return ERROR;
  const exptime = exptimeOf(first);
  if (exptime === null) return wrong("invalid exptime argument");
  if (keys.some((key) => key.length > KEY_BYTES_MAX)) return BAD_FORMAT;
  return { kind: "get-and-touch", exptime, keys, withUnique: verb === "gats" };
}

/** Parses `key flags exptime bytes`, for `cas` also `unique`, and optionally `noreply`. */
function readStore(verb: Announced["verb"], args: readonly ByteString[]): Line {
  const expected = verb === "cas" ? 5 : 4;
  if (args.length < expected || args.length > expected + 1) return ERROR;

  const [key = "", flagsText = "", exptimeText = "", bytesText = "", uniqueText = "0"] = args;
  const flags = flagsOf(flagsText);
  const bytes = unsigned(bytesText, LENGTH_MAX);
  const exptime = exptimeOf(exptimeText);
  const unique = verb === "cas" ? uint64(uniqueText) : 0n;
  const isValid = key.length <= KEY_BYTES_MAX && flags !== null && bytes !== null;
  const isSilent = args[expected] === NOREPLY;
  if (!isValid || exptime === null || unique === null) return refused(BAD_FORMAT, isSilent);

  return { kind: "store", verb, key, flags, exptime, unique, bytes, isSilent };
}

/** Parses `key`, optionally a time, which must be 0, and optionally `noreply`. */
function readDelete([key, ...more]: readonly ByteString[]): Line {
  if (key === undefined || more.length > 2) return ERROR;
  const isSilent = more.at(-1) === NOREPLY;
  if (key.length > KEY_BYTES_MAX) return refused(BAD_FORMAT, isSilent);
  const isValid = more.length === 0 || (more.length === 1 && isSilent) || more[0] === "0";
  if (isValid) return { kind: "delete", key, unique: 0n, isSilent };
  return refused(wrong("bad command line format.  Usage: delete <key> [noreply]"), isSilent);
}

/** Parses `key number`, and optionally `noreply`. */
function readChange(verb: "incr" | "decr" | "touch", args: readonly ByteString[]): Line {
  const [key, number, last] = args;
  if (key === undefined || number === undefined || args.length > 3) return ERROR;

  const isSilent = (last ?? number) === NOREPLY;
  if (key.length > KEY_BYTES_MAX) return refused(BAD_FORMAT, isSilent);

  if (verb === "touch") {
    const exptime = exptimeOf(number);
    if (exptime === null) return refused(wrong("invalid exptime argument"), isSilent);
    return { kind: "touch", key, exptime, isSilent };
  }
  const by = uint64(number);
  if (by === null) return refused(wrong("invalid numeric delta argument"), isSilent);

  return { kind: "count", verb, key, by, unique: 0n, exptime: null, initial: null, isSilent };
}

/** Parses optionally a delay, and optionally `noreply`. */
function readFlush(args: readonly ByteString[]): Line {
  if (args.length > 2) return ERROR;
  const isSilent = args.at(-1) === NOREPLY;
  const [text = "0"] = args.length === 1 && isSilent ? [] : args;
  const delay = exptimeOf(text);
  if (delay === null) return refused(wrong("invalid exptime argument"), isSilent);
  return { kind: "flush", delay, isSilent };
}
