/**
 * Decides whether a unit is permitted, by its signer's record at the unit's position. The decision is the same in the
 * fold and on a daemon without a timeline. Source: docs/keys.md.
 */
import type { ByteString } from "../../protocol/byte-string.js";
import { type ErrorReply, error } from "../../protocol/reply.js";
import type { Condition } from "../../protocol/version-2/envelope.js";
import { commands } from "./command-table.js";
import type { KeyRing } from "./key-ring.js";
import { type KeyRecord, type Validity, validity } from "./rights/key-record.js";
import type { CommandIndex } from "./rows/command-index.js";

/** A unit, with all facts on which permission depends. */
export interface JudgedUnit {
  /** Id of the signer. */
  readonly key: ByteString;
  /** The unit's date. */
  readonly at: number;
  /** One command, or with `multi` all commands of an envelope. */
  readonly commands: readonly (readonly ByteString[])[];
  readonly conditions: readonly Condition[] | null;
  /** Whether only a daemon's key may sign the unit: see `needsDaemon` in protocol/version-2/envelope.ts. */
  readonly needsDaemon: boolean;
}

const UNKNOWN = error("NOPERM unknown key: it was not added before this command's position");
const NOT_A_DAEMON = error("NOPERM only daemons' keys may sign for another user, or with units or choices");
const INVALID: Readonly<Record<Exclude<Validity, "valid">, ErrorReply>> = {
  revoked: error("NOPERM this key was revoked"),
  "not-yet-valid": error("NOPERM this key is not yet valid at the command's date"),
  expired: error("NOPERM this key has expired at the command's date"),
};

/**
 * Returns the reply to a unit that is not permitted.
 * @param signer the key's record at the unit's position
 * @param table the semantics at that position; default: those after all units
 * @returns NOPERM or the error in the unit, or null if the unit is permitted
 */
export function refusalOf(
  unit: JudgedUnit,
  signer: KeyRecord | undefined,
  ring: KeyRing,
  table?: CommandIndex,
): ErrorReply | null {
  const { key, at, commands, conditions, needsDaemon } = unit;
  const record = signer ?? ring.introduction(commands, key, at);
  if (record === null) return UNKNOWN;

  const state = validity(record, at);
  if (state !== "valid") return INVALID[state];
  if (needsDaemon && record.role !== "daemon") return NOT_A_DAEMON;

  for (const argv of commands) {
    const mistake = connectionMistake(argv);
    if (mistake !== null) return mistake;
  }
  const options = table === undefined ? { conditions } : { conditions, table };
  const denial = ring.judge(record, commands, options);
  if (denial === null || !isDenied(denial)) return denial;

  return ring.introduction(commands, key, at) === null ? denial : null;
}

/** Whether an error is a denial rather than an unknown command or a wrong number of arguments. */
export const isDenied = ({ text }: ErrorReply): boolean => text.startsWith("NOPERM");

/** The errors by the first word of a command. */
const MISTAKES: ReadonlyMap<string, ErrorReply> = new Map(
  commands.flatMap(({ name, inEnvelope }) => {
    const [word = ""] = name.split("|");
    const text = `ERR ${word} is not permitted in an envelope: ${inEnvelope}`;
    return inEnvelope === undefined ? [] : [[word, error(text)] as const];
  }),
);

const LENGTHS: ReadonlySet<number> = new Set([...MISTAKES.keys()].map(({ length }) => length));

/**
 * Returns the error for a command in an envelope that has a meaning only for a connection: one with `inEnvelope` in its
 * row. Returns null for any other command.
 */
export function connectionMistake(argv: readonly ByteString[]): ErrorReply | null {
  const name = argv[0] as ByteString;
  return LENGTHS.has(name.length) ? (MISTAKES.get(name.toUpperCase()) ?? null) : null;
}
