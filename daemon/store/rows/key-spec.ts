/**
 * The indexes of a command's keys, determined from its bytes alone, and how the command may access them. A unit that
 * fails or is denied therefore touches exactly the same keys as one that succeeds. Source: docs/architecture.md "The
 * life of a signed write".
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import { parseInteger } from "../arguments/number-arguments.js";

export type Access = "read" | "write";

/**
 * The permission that a signer needs for a key, in Redis's letters: R if the command returns or copies its data, W if
 * it may change them; neither if it returns only type, length or membership.
 */
export type Permission = "" | "R" | "W" | "RW";

/**
 * A key. If `key` is null, it refers to the complete database. A `db` of null means the unit's database, and -1 means
 * all databases.
 */
export interface Touch {
  readonly db: number | null;
  readonly key: ByteString | null;
  readonly access: Access;
  /** The required permission; default: R for reading, W for writing. */
  readonly needs?: Permission;
  /** Whether the permissions on the command's other keys suffice, because they cover this one. */
  readonly isCovered?: boolean;
  /** For a complete database: the common beginning of the keys that may be touched; only these need permission. */
  readonly beginning?: ByteString;
}

export function permissionFor({ access, needs }: Touch): Permission {
  return needs ?? (access === "read" ? "R" : "W");
}

/** Keys at regular indexes. The name has index 0; a negative last index counts from the end. */
export interface KeyRange {
  readonly access: Access;
  readonly needs: Permission;
  readonly first: number;
  readonly last: number;
  readonly step: number;
}

export type KeySpec = readonly KeyRange[] | ((argv: readonly ByteString[]) => Touch[]);

/** A command without keys. */
export const none: KeySpec = [];

const range =
  (access: Access, needs: Permission) =>
  (first: number, last = first, step = 1): KeyRange => ({ access, needs, first, last, step });

/** Keys of which only the type, length or membership is returned. */
export const inspect = range("read", "");
/** Keys whose data are returned or copied. */
export const read = range("read", "R");
/** Keys that may be changed, while their previous data are not returned. */
export const write = range("write", "W");
/** Keys whose data are returned, and stored in another form afterwards. */
export const recode = range("write", "R");
/** Keys that may be changed, and whose data are returned or copied. */
export const update = range("write", "RW");

/**
 * Keys counted by an argument: `numkeys key [key …]`. If the count is invalid or too large, all following arguments are
 * keys.
 * @param use the access to them: `read` or `update`
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

/** The complete database of the unit. */
export const currentDb =
  (access: Access): KeySpec =>
  () => [{ db: null, key: null, access }];

/** All databases. */
export const allDbs =
  (access: Access): KeySpec =>
  () => [{ db: -1, key: null, access }];

/** Returns the keys that a command may touch. */
export function touchesOf(spec: KeySpec, argv: readonly ByteString[]): Touch[] {
  if (typeof spec === "function") return spec(argv);
  const touches: Touch[] = [];
  for (const range of spec) {
    const { access, needs, first, step } = range;
    const last = lastKeyOf(range, argv);
    for (let i = first; i <= last; i += step)
      touches.push({ db: null, key: argv[i] as ByteString, access, needs });
  }
  return touches;
}

/** Returns the index of the last argument that a range of keys may include. */
export const lastKeyOf = ({ last }: KeyRange, argv: readonly ByteString[]): number =>
  last < 0 ? argv.length + last : Math.min(last, argv.length - 1);
