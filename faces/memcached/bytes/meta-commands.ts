/** The meta commands (`mg`, `ms`, `md`, `ma`): their flags, their requests, and the form of their answers. */
import type { ByteString } from "../../../protocol/byte-string.js";
import type { Announced, Line, MetaForm, StoreVerb, Wrong } from "./request-types.js";
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

const BAD_TOKEN = wrong("bad token in command line format");
const BAD_KEY = wrong("error decoding key");

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

/** Parses `key` and flags. */
export function readMetaGet([key, ...words]: readonly ByteString[]): Line {
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
export function readMetaStore([key, bytesText, ...words]: readonly ByteString[]): Line {
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
export function readMetaDelete([word, ...words]: readonly ByteString[]): Line {
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
export function readMetaCount([word, ...words]: readonly ByteString[]): Line {
  if (word === undefined) return ERROR;
  if (word.length > KEY_BYTES_MAX) return BAD_FORMAT;

  const flags = readMetaFlags(words, `bkqv${IGNORED_FLAGS.ma}`, "CDJMNOT");
  if (typeof flags === "string") return BAD_FLAG;

  const key = metaKey(word, flags);
  const by = uint64(flags.get("D") ?? "1");
  const value = uint64(flags.get("J") ?? "0");
  const unique = uint64(flags.get("C") ?? "0");
  const exptime = exptimeOf(flags.get("T") ?? "0");
  const created = exptimeOf(flags.get("N") ?? "0");
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
