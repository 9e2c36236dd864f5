/**
 * Parses requests of memcached's text protocol from a stream of bytes: a line and, for a storage command, a block of
 * data. Has the flags of meta commands, and the form of their answers.
 * Source: memcached's doc/protocol.txt; test/vectors/memcached contains the answers of memcached 1.6.18.
 */
import { type ByteString, bytesOf } from "../../../protocol/byte-string.js";
import { ReceiveBuffer } from "../../../protocol/receive-buffer.js";

/** The maximum length of a line. `get` may name many keys. */
const LINE_BYTES_MAX = 256 * 1024;
const KEY_BYTES_MAX = 250;
/** The number of bits of the flags that a client stores with an item. */
const FLAGS_BITS = 32;
/** The maximum of these flags. */
export const FLAGS_MAX = 2 ** FLAGS_BITS - 1;
/** The maximum number of digits of an exptime: its dates are then within those of JavaScript. */
const EXPTIME_DIGITS_MAX = 12;
/** The maximum length of data that memcached accepts in the line of a storage command. */
const LENGTH_MAX = 2 ** 31 - 3;
/** The first byte of each request of the binary protocol. */
const BINARY_MAGIC = 0x80;
const UINT64_MAX = 2n ** 64n - 1n;
const LINE_FEED = 0x0a;

export type StoreVerb = "set" | "add" | "replace" | "cas" | "append" | "prepend";

export interface StoreRequest {
  readonly kind: "store";
  readonly verb: StoreVerb;
  readonly key: ByteString;
  /** The client's flags, 32 bits. */
  readonly flags: number;
  /** The expiry time as the client sends it: 0, a number of seconds from now, or a date. */
  readonly exptime: number;
  /** The number for `cas`, which `gets` returned; otherwise 0. */
  readonly unique: bigint;
  readonly data: ByteString;
  readonly isSilent: boolean;
  /** Only of `ms`. */
  readonly meta?: MetaForm;
}

export interface DeleteRequest {
  readonly kind: "delete";
  readonly key: ByteString;
  readonly isSilent: boolean;
  /** Only of `md`. */
  readonly meta?: MetaForm;
  /** The item's number, if only that item may be deleted; otherwise 0. */
  readonly unique: bigint;
}

export interface CountRequest {
  readonly kind: "count";
  readonly verb: "incr" | "decr";
  readonly key: ByteString;
  readonly by: bigint;
  readonly isSilent: boolean;
  /** Only of `ma`. */
  readonly meta?: MetaForm;
  /** The item's number, if only that item may be changed; otherwise 0. */
  readonly unique: bigint;
  /** The item's new exptime, or null to keep it. */
  readonly exptime: number | null;
  /** The item to store if there is none, or null. */
  readonly initial: { readonly value: bigint; readonly exptime: number } | null;
}

export type MemcachedRequest =
  | { readonly kind: "get"; readonly keys: readonly ByteString[]; readonly withUnique: boolean }
  /** `gat` and `gats`: reads items, and changes when they expire. */
  | {
      readonly kind: "get-and-touch";
      readonly exptime: number;
      readonly keys: readonly ByteString[];
      readonly withUnique: boolean;
    }
  | StoreRequest
  | DeleteRequest
  | CountRequest
  | {
      readonly kind: "touch";
      readonly key: ByteString;
      readonly exptime: number;
      readonly isSilent: boolean;
    }
  | { readonly kind: "flush"; readonly delay: number; readonly isSilent: boolean }
  | MetaGet
  /** A command for an item that is longer than the maximum; its data were skipped. */
  | {
      readonly kind: "too-large";
      readonly verb: StoreVerb;
      readonly key: ByteString;
      readonly isSilent: boolean;
    }
  | { readonly kind: "stats"; readonly about: ByteString }
  /** `cache_memlimit`: changes the memory limit of the server. */
  | { readonly kind: "memory-limit"; readonly mebibytes: number; readonly isSilent: boolean }
  | { readonly kind: "version" }
  | { readonly kind: "quit" }
  /** A line of HTTP: a web page has made a browser connect here, and its data must not be interpreted as requests. */
  | { readonly kind: "http" }
  /** An invalid request; the answer is the error. */
  | { readonly kind: "wrong"; readonly answer: string };

export interface MetaGet {
  readonly kind: "meta-get";
  readonly key: ByteString;
  /** The requested fields and the opaque word, in the order of the answer: `f`, `O123`. */
  readonly flags: readonly ByteString[];
  readonly withValue: boolean;
  /** Whether a missing item has no answer. */
  readonly isQuiet: boolean;
}

/** The request that a block of data belongs to. */
interface Announced extends Omit<StoreRequest, "data"> {
  readonly bytes: number;
}
/** A refused storage command, whose data must be skipped. */
interface Refused {
  readonly kind: "refused";
  readonly bytes: number;
  readonly refusal: Wrong;
}
type Line = Exclude<MemcachedRequest, StoreRequest> | Announced | Refused;
type Wrong = Extract<MemcachedRequest, { readonly kind: "wrong" }>;

const NOREPLY = "noreply";
const ERROR: Wrong = { kind: "wrong", answer: "ERROR\r\n" };
const BAD_FORMAT = wrong("bad command line format");
const BAD_CHUNK = wrong("bad data chunk");
const BAD_TOKEN = wrong("bad token in command line format");
const BAD_KEY = wrong("error decoding key");
const LIMIT_TOO_SMALL: Wrong = {
  kind: "wrong",
  answer: "MEMLIMIT_TOO_SMALL cannot set maxbytes to less than 8m\r\n",
};
const LIMIT_TOO_LARGE: Wrong = {
  kind: "wrong",
  answer: "MEMLIMIT_ADJUST_FAILED input value is megabytes not bytes\r\n",
};
/** The flags of `mg` that are supported. The others change an item, or report what the daemon does not know. */
const META_GET_FLAGS = "bcfkqstv";
/** The flags that memcached permits in `ms`, `md` and `ma`, although they change nothing there. */
const IGNORED_FLAGS = { ms: "fhlstuv", md: "cfhlstuv", ma: "fhlsu" };
const STORE_MODES: ReadonlyMap<string, StoreVerb> = new Map([
  ["E", "add"],
  ["A", "append"],
  ["P", "prepend"],
  ["R", "replace"],
  ["S", "set"],
]);
const COUNT_MODES: ReadonlyMap<string, "incr" | "decr"> = new Map([
  ["I", "incr"],
  ["+", "incr"],
  ["D", "decr"],
  ["-", "decr"],
]);
const HTTP = /^(?:[A-Z]+ \S+ HTTP\/|Host:)/i;

function wrong(why: string): Wrong {
  return { kind: "wrong", answer: `CLIENT_ERROR ${why}\r\n` };
}

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

/** Parses `key` and flags. */
function readMetaGet([key, ...words]: readonly ByteString[]): Line {
  if (key === undefined) return ERROR;
  if (key.length > KEY_BYTES_MAX) return BAD_FORMAT;
  const flags = readMetaFlags(words, META_GET_FLAGS, "O");
  if (typeof flags === "string")
    return wrong(flags === "too many" ? "options flags are too long" : `${flags} flag`);
  const name = metaKey(key, flags);
  if (name === null) return BAD_KEY;
  const shown = words.filter((word) => !["b", "q", "v"].includes(word));
  return {
    kind: "meta-get",
    key: name,
    flags: shown.flatMap((word) => (word === "k" ? keyWords(key, flags) : [word])),
    withValue: flags.has("v"),
    isQuiet: flags.has("q"),
  };
}

/** Parses `key bytes` and flags. */
function readMetaStore([key, bytesText, ...words]: readonly ByteString[]): Line {
  if (key === undefined) return ERROR;
  const bytes = unsigned(bytesText ?? "", LENGTH_MAX);
  if (key.length > KEY_BYTES_MAX || bytes === null) return BAD_FORMAT;
  const flags = readMetaFlags(words, `bckq${IGNORED_FLAGS.ms}`, "CFMOT");
  const read = typeof flags === "string" ? wrong(`${flags} flag`) : storeOf(key, bytes, flags);
  return read.kind === "wrong" ? { kind: "refused", bytes, refusal: read } : read;
}

function storeOf(word: ByteString, bytes: number, flags: MetaFlags): Announced | Wrong {
  const key = metaKey(word, flags);
  const exptime = exptimeOf(flags.get("T") ?? "0");
  const unique = uint64(flags.get("C") ?? "0");
  const itemFlags = flagsOf(flags.get("F") ?? "0");
  const mode = flags.get("M") ?? "S";
  if (key === null) return BAD_KEY;
  if (exptime === null || unique === null) return BAD_TOKEN;
  if (itemFlags === null) return BAD_FORMAT;
  if (mode.length !== 1) return wrong("incorrect length for M token");
  const verb = STORE_MODES.get(mode);
  if (verb === undefined) return wrong("invalid mode for ms M token");
  const isCompared = flags.has("C") && (verb === "set" || verb === "replace");
  return {
    kind: "store",
    verb: isCompared ? "cas" : verb,
    key,
    flags: itemFlags,
    exptime,
    unique,
    bytes,
    isSilent: false,
    meta: metaFormOf(word, flags, "c"),
  };
}

const BAD_FLAG = wrong("invalid or duplicate flag");

/** Parses `key` and flags. */
function readMetaDelete([word, ...words]: readonly ByteString[]): Line {
  if (word === undefined) return ERROR;
  if (word.length > KEY_BYTES_MAX) return BAD_FORMAT;
  const flags = readMetaFlags(words, `bkq${IGNORED_FLAGS.md}`, "CO");
  if (typeof flags === "string") return BAD_FLAG;
  const key = metaKey(word, flags);
  const unique = uint64(flags.get("C") ?? "0");
  if (key === null) return BAD_KEY;
  if (unique === null) return BAD_FLAG;
  return { kind: "delete", key, unique, isSilent: false, meta: metaFormOf(word, flags) };
}

/** Parses `key` and flags. */
function readMetaCount([word, ...words]: readonly ByteString[]): Line {
  if (word === undefined) return ERROR;
  if (word.length > KEY_BYTES_MAX) return BAD_FORMAT;
  const flags = readMetaFlags(words, `bkqv${IGNORED_FLAGS.ma}`, "CDJMNOT");
  if (typeof flags === "string") return BAD_FLAG;
  const key = metaKey(word, flags);
  const [by, value, unique] = [
    uint64(flags.get("D") ?? "1"),
    uint64(flags.get("J") ?? "0"),
    uint64(flags.get("C") ?? "0"),
  ];
  const [exptime, created] = [exptimeOf(flags.get("T") ?? "0"), exptimeOf(flags.get("N") ?? "0")];
  const mode = flags.get("M") ?? "I";
  if (key === null) return BAD_KEY;
  if (by === null || value === null || unique === null || exptime === null || created === null)
    return BAD_FLAG;
  if (mode.length !== 1) return BAD_FLAG;
  const verb = COUNT_MODES.get(mode);
  if (verb === undefined) return wrong("invalid mode for ma M token");
  return {
    kind: "count",
    verb,
    key,
    by,
    unique,
    exptime: flags.has("T") ? exptime : null,
    initial: flags.has("N") ? { value, exptime: created } : null,
    isSilent: false,
    meta: metaFormOf(word, flags),
  };
}

/** Matches a number as strtoul of C does: with a sign, and with leading zeros. */
const NUMBER = /^([+-]?)0*(\d{1,20})$/;

function unsigned(text: ByteString, max: number): number | null {
  const value = uint64(text);
  return value !== null && value <= max ? Number(value) : null;
}

/** Parses the flags of an item. Like memcached, uses only the lower 32 bits of a 64-bit number. */
function flagsOf(text: ByteString): number | null {
  const value = uint64(text);
  return value === null ? null : Number(BigInt.asUintN(FLAGS_BITS, value));
}

function exptimeOf(text: ByteString): number | null {
  const [, sign, digits = ""] = NUMBER.exec(text) ?? [];
  if (sign === undefined || digits.length > EXPTIME_DIGITS_MAX) return null;
  return sign === "-" ? -Number(digits) : Number(digits);
}

/** Parses an unsigned 64-bit number. Returns null if it is not one. */
export function uint64(text: ByteString): bigint | null {
  const [, sign = "-", digits = ""] = NUMBER.exec(text) ?? [];
  const value = sign === "-" ? UINT64_MAX + 1n : BigInt(digits);
  return value <= UINT64_MAX ? value : null;
}

/** The form of the answer to a meta command. */
interface MetaForm {
  /**
   * The words that follow the code: the key (`k…`, with `b` if it is base64), the opaque word (`O…`), and `c` for the
   * item's number.
   */
  readonly words: readonly ByteString[];
  readonly isQuiet: boolean;
  /** Whether the answer contains a number as a value. */
  readonly withValue: boolean;
}

/** The flags of a request by their letters, with the text that follows each letter. */
type MetaFlags = ReadonlyMap<string, ByteString>;

const META_FLAGS_MAX = 20;
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/**
 * Parses flags of one letter, some of which are followed by a text.
 * @param alone  the letters of flags without a text
 * @param withText  the letters of flags with a text
 * @returns the flags, or what is wrong
 */
function readMetaFlags(
  words: readonly ByteString[],
  alone: string,
  withText: string,
): MetaFlags | "too many" | "duplicate" | "invalid" {
  if (words.length > META_FLAGS_MAX) return "too many";
  const flags = new Map(words.map((word) => [word[0] ?? "", word.slice(1)]));
  if (flags.size < words.length) return "duplicate";
  for (const [letter, text] of flags)
    if (!(withText.includes(letter) || (alone.includes(letter) && text === ""))) return "invalid";
  return flags;
}

/** Returns the key that a request names, or null if the flag `b` says base64 and it is not. */
function metaKey(key: ByteString, flags: MetaFlags): ByteString | null {
  if (!flags.has("b")) return key;
  return key !== "" && BASE64.test(key) ? Buffer.from(key, "base64").toString("latin1") : null;
}

/** Returns the words of the key in an answer. @param key  the key as in the request */
const keyWords = (key: ByteString, flags: MetaFlags): readonly ByteString[] =>
  flags.has("b") ? [`k${key}`, "b"] : [`k${key}`];

/**
 * @param key  the key as in the request
 * @param shown  the flags without a text that the answer shows
 */
function metaFormOf(key: ByteString, flags: MetaFlags, shown = ""): MetaForm {
  const words = [...flags].flatMap(([letter, text]) => {
    if (letter === "k") return keyWords(key, flags);
    return letter === "O" ? [`O${text}`] : shown.includes(letter) ? [letter] : [];
  });
  return { words, isQuiet: flags.has("q"), withValue: flags.has("v") };
}

/** The codes of answers that consist of one word. */
const CODES: ReadonlyMap<string, string> = new Map([
  ["STORED", "HD"],
  ["DELETED", "HD"],
  ["NOT_STORED", "NS"],
  ["EXISTS", "EX"],
  ["NOT_FOUND", "NF"],
]);

/**
 * Converts the answer of a classic command to that of a meta command. Errors remain unchanged.
 * @param answer  the line of the answer; after STORED, the item's number may follow
 */
export function metaAnswer(answer: string, { words, isQuiet, withValue }: MetaForm): string {
  const [first = "", unique] = answer.trimEnd().split(" ");
  const isNumber = /^\d+$/.test(first);
  const code = isNumber ? (withValue ? `VA ${first.length}` : "HD") : CODES.get(first);
  if (code === undefined) return answer;
  if (isQuiet && (code === "HD" || isNumber)) return "";
  // Memcached's number of an item that was not stored is 0.
  const shown = words.map((word) => (word === "c" ? `c${unique ?? 0}` : word));
  const line = `${[code, ...shown].join(" ")}\r\n`;
  return isNumber && withValue ? `${line}${first}\r\n` : line;
}
