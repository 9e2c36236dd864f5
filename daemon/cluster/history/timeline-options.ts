/** Parses the arguments of TIMELINE's subcommands. */
import type { ByteString } from "../../../protocol/byte-string.js";
import { bytesOfHex, HASH_BYTES, hexOf } from "../../../protocol/version-2/envelope.js";
import { custom, echoed, syntaxError } from "../../store/arguments/command-errors.js";

/** The maximum number of units in one answer. */
export const UNITS_MAX = 10_000;
const UNITS_DEFAULT = 100;
/** The maximum number of dead letters in one answer. It is low, because each letter is read from the disk. */
const DEAD_LETTERS_MAX = 200;
/** Milliseconds before TO that are covered if there is no FROM. */
const SPAN_DEFAULT_MS = 60 * 60 * 1000;
const SIGNER_DIGITS_MIN = 4;

export interface LogQuery {
  /** The first date, in milliseconds since 1970. */
  readonly from: number;
  /** The last date. */
  readonly to: number;
  /** The key, or null for any key. */
  readonly key: ByteString | null;
  /** The hexadecimal digits that the signer's id begins with. */
  readonly signer: string;
  readonly limit: number;
}

/**
 * Reads the options of TIMELINE LOG.
 * @param argv  `TIMELINE LOG …`
 * @param last      the latest date at which an entry may be folded
 * @param earliest  the first stored date
 * @throws CommandFailure
 */
export function readLogQuery(argv: readonly ByteString[], last: number, earliest: number): LogQuery {
  const options = readLogOptions(argv, 2, ["FROM", "TO", "KEY", "SIGNER", "LIMIT"]);
  const to = Math.min(dateOption(options, "TO") ?? last, last);
  const from = dateOption(options, "FROM") ?? Math.min(to, Math.max(earliest, to - SPAN_DEFAULT_MS));
  return {
    from,
    to,
    key: options.get("KEY") ?? null,
    signer: signerOption(options),
    limit: countOption(options, "LIMIT", UNITS_MAX) ?? UNITS_DEFAULT,
  };
}

/**
 * Returns the date of UPTO in milliseconds since 1970, or null if there is no UPTO.
 * @param argv  `TIMELINE STATUS …`
 * @throws CommandFailure
 */
export function readStatusUpTo(argv: readonly ByteString[]): number | null {
  return dateOption(readLogOptions(argv, 2, ["UPTO"]), "UPTO");
}

/** Reads the options of TIMELINE DEADLETTERS. @param argv  `TIMELINE DEADLETTERS …` @throws CommandFailure */
export function readDeadLettersQuery(argv: readonly ByteString[]): {
  readonly from: number;
  readonly limit: number;
} {
  const options = readLogOptions(argv, 2, ["FROM", "LIMIT"]);
  const limit = countOption(options, "LIMIT", DEAD_LETTERS_MAX) ?? UNITS_DEFAULT;
  return { from: dateOption(options, "FROM") ?? 0, limit };
}

/** Reads a date in milliseconds since 1970. @param what  its name in the error @throws CommandFailure */
export function readDate(text: ByteString, what: string): number {
  if (/^(0|[1-9]\d{0,15})$/.test(text) && Number(text) <= Number.MAX_SAFE_INTEGER) return Number(text);
  throw custom(`ERR ${what} is '${echoed(text)}' instead of milliseconds since 1970`);
}

/**
 * Returns the values of options by their names, in upper case.
 * @param first  the index of the first option in the arguments
 * @param names  the permitted options, each of which has one value and may appear once
 * @throws CommandFailure
 */
export function readLogOptions(
  argv: readonly ByteString[],
  first: number,
  names: readonly string[],
): ReadonlyMap<string, ByteString> {
  const options = new Map<string, ByteString>();
  for (let i = first; i < argv.length; i += 2) {
    const name = (argv[i] as ByteString).toUpperCase();
    const value = argv[i + 1];
    if (!names.includes(name) || options.has(name)) throw syntaxError();
    if (value === undefined) throw custom(`ERR ${name} is not followed by its value`);
    options.set(name, value);
  }
  return options;
}

/** Returns an option's date in milliseconds since 1970, or null if it is missing. @throws CommandFailure */
export function dateOption(options: ReadonlyMap<string, ByteString>, name: string): number | null {
  const text = options.get(name);
  return text === undefined ? null : readDate(text, name);
}

/** Returns an option's number from 1 to `max`, or null if it is missing. @throws CommandFailure */
export function countOption(
  options: ReadonlyMap<string, ByteString>,
  name: string,
  max: number,
): number | null {
  const text = options.get(name);
  if (text === undefined) return null;
  if (/^[1-9]\d{0,8}$/.test(text) && Number(text) <= max) return Number(text);
  throw custom(`ERR ${name} is '${echoed(text)}' instead of a number from 1 to ${max}`);
}

/** Returns the first hexadecimal digits of the signer's id; empty: any signer. @throws CommandFailure */
export function signerOption(options: ReadonlyMap<string, ByteString>): string {
  const text = options.get("SIGNER");
  if (text === undefined) return "";
  const id = bytesOfHex(text, HASH_BYTES);
  if (id !== undefined) return hexOf(id);
  if (/^[\da-f]+$/i.test(text) && text.length >= SIGNER_DIGITS_MIN && text.length < 2 * HASH_BYTES)
    return text.toLowerCase();
  throw custom(
    `ERR SIGNER is '${echoed(text)}' instead of a key's id, or the first ${SIGNER_DIGITS_MIN} or more of its ` +
      "hexadecimal digits",
  );
}
