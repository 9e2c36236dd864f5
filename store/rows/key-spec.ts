/**
 * The indexes of a command's keys, from its bytes alone, and what it may do to them: so a unit that fails or is denied touches just what it
 * would have touched. Source: docs/architecture.md "The life of a signed write".
 */
import type { ByteString } from "../../protocol/byte-string.js";
import { parseInteger } from "../arguments/numbers.js";

export type Access = "read" | "write";

/**
 * The permission that a signer needs on a key, in Redis's letters: R where the command answers or copies its data, W where it may change
 * them; neither where it answers no more than type, length or membership.
 */
export type Permission = "" | "R" | "W" | "RW";

/** A key, or with `key` null the whole database. `db` null: the unit's own; -1: all of them. */
export interface Touch {
  readonly db: number | null;
  readonly key: ByteString | null;
  readonly access: Access;
  /** Default: R to read, W to write. */
  readonly needs?: Permission;
  /** Whether the permissions on the command's other keys suffice: they cover what this may touch. */
  readonly isCovered?: boolean;
  /** For a complete database: the common beginning of the keys that may be touched, so that only these need to be permitted. */
  readonly beginning?: ByteString;
}

export function permissionFor({ access, needs }: Touch): Permission {
  return needs ?? (access === "read" ? "R" : "W");
}

/** Keys at regular indexes. Indexes count the name as 0; a negative last index counts from the end. */
export interface KeyRange {
  readonly access: Access;
  readonly needs: Permission;
  readonly first: number;
  readonly last: number;
  readonly step: number;
}

export type KeySpec = readonly KeyRange[] | ((argv: readonly ByteString[]) => Touch[]);

/** No keys. */
export const none: KeySpec = [];

const range =
  (access: Access, needs: Permission) =>
  (first: number, last = first, step = 1): KeyRange => ({ access, needs, first, last, step });

/** Keys whose type, length or membership is answered, and no more. */
export const look = range("read", "");
/** Keys whose data is answered or copied. */
export const read = range("read", "R");
/** Keys that may be changed, without answering what they held. */
export const write = range("write", "W");
/** Keys whose data is answered, and kept in another form from then on. */
export const recode = range("write", "R");
/** Keys that may be changed, and whose data is answered or copied. */
export const update = range("write", "RW");

/**
 * Keys counted by an argument: `numkeys key [key …]`. A count that is none, or too large, names what is there.
 * @param use  what happens to them: `read` or `update`
 */
export function counted(
  use: (first: number) => KeyRange,
  countAt: number,
  before: readonly KeyRange[] = [],
): KeySpec {
  const { access, needs } = use(0);
  return (argv) => {
    const count = Number(parseInteger(argv[countAt] ?? "") ?? 0);
    const touches = touchesOf(before, argv);
    for (let i = countAt + 1; i <= countAt + count && i < argv.length; i++) {
      touches.push({ db: null, key: argv[i] as ByteString, access, needs });
    }
    return touches;
  };
}

/** The whole of the unit's database. */
export const wholeDb =
  (access: Access): KeySpec =>
  () => [{ db: null, key: null, access }];

/** All databases. */
export const allDbs =
  (access: Access): KeySpec =>
  () => [{ db: -1, key: null, access }];

/** Returns what a command may touch. */
export function touchesOf(spec: KeySpec, argv: readonly ByteString[]): Touch[] {
  if (typeof spec === "function") return spec(argv);
  const touches: Touch[] = [];
  for (const { access, needs, first, last, step } of spec) {
    const end = last < 0 ? argv.length + last : Math.min(last, argv.length - 1);
    for (let i = first; i <= end; i += step) {
      touches.push({ db: null, key: argv[i] as ByteString, access, needs });
    }
  }
  return touches;
}
