/**
 * The flags of memcached's meta commands, and the form of their answers. Source: memcached's doc/protocol.txt, "Meta
 * Commands"; test/vectors/memcached contains the answers of memcached 1.6.18.
 */
import type { ByteString } from "../../../protocol/byte-string.js";

/** The form of the answer to a meta command. */
export interface MetaForm {
  /** The words that follow the code: the key (`k…`, with `b` if it is base64), the opaque word (`O…`), and `c` for the item's number. */
  readonly words: readonly ByteString[];
  readonly isQuiet: boolean;
  /** Whether the answer contains a number as a value. */
  readonly withValue: boolean;
}

/** The flags of a request by their letters, with the text that follows each letter. */
export type MetaFlags = ReadonlyMap<string, ByteString>;

const FLAGS_MAX = 20;
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/**
 * Parses flags of one letter, some of which are followed by a text.
 * @param alone  the letters of flags without a text
 * @param withText  the letters of flags with a text
 * @returns the flags, or what is wrong
 */
export function readMetaFlags(
  words: readonly ByteString[],
  alone: string,
  withText: string,
): MetaFlags | "too many" | "duplicate" | "invalid" {
  if (words.length > FLAGS_MAX) return "too many";
  const flags = new Map(words.map((word) => [word[0] ?? "", word.slice(1)]));
  if (flags.size < words.length) return "duplicate";
  for (const [letter, text] of flags)
    if (!(withText.includes(letter) || (alone.includes(letter) && text === ""))) return "invalid";
  return flags;
}

/** Returns the key that a request names, or null if the flag `b` says base64 and it is not. */
export function metaKey(key: ByteString, flags: MetaFlags): ByteString | null {
  if (!flags.has("b")) return key;
  return key !== "" && BASE64.test(key) ? Buffer.from(key, "base64").toString("latin1") : null;
}

/** Returns the words of the key in an answer. @param key  the key as in the request */
export const keyWords = (key: ByteString, flags: MetaFlags): readonly ByteString[] =>
  flags.has("b") ? [`k${key}`, "b"] : [`k${key}`];

/** @param key  the key as in the request */
export function metaFormOf(key: ByteString, flags: MetaFlags): MetaForm {
  const words = [...flags].flatMap(([letter, text]) => {
    if (letter === "k") return keyWords(key, flags);
    return letter === "O" ? [`O${text}`] : letter === "c" ? [letter] : [];
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
  const shown = words.flatMap((word) =>
    word === "c" ? (unique === undefined ? [] : [`c${unique}`]) : [word],
  );
  const line = `${[code, ...shown].join(" ")}\r\n`;
  return isNumber && withValue ? `${line}${first}\r\n` : line;
}
