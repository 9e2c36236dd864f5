/**
 * Options of a call that are sent in or next to the header of its envelope. Version 1 therefore does not support them.
 */
import { type ByteString, bytesOfText, exactBytesOfText } from "../../protocol/byte-string.js";
import {
  bytesOfHex,
  type Condition,
  HASH_BYTES,
  UNIT_ID_BYTES,
  UNIT_ORDER_KEY_BYTES,
} from "../../protocol/version-2/envelope.js";
import type { Wait } from "../../protocol/version-2/messages-v2.js";
import { badOption } from "../shared/errors.js";
import { ALLOWED_VALUES } from "./allowed-values.js";
import { DAEMONS_MAX, IF_KEYS_MAX } from "./call-limits.js";

/** A condition: a key, and the last writer that it must have. */
export interface If {
  readonly key: string | Buffer;
  /** The writer, as `WRITERS` returns it (36 bytes, or 72 hexadecimal digits), or null if the key must be absent. */
  readonly writer: string | Buffer | null;
  /** The number of the database; default: the call's database. */
  readonly db?: number | undefined;
}

/** Options that require a separate envelope for the call. */
export interface HeaderOptions {
  /** The number of the database; default 0. */
  readonly db?: number | undefined;
  /**
   * The call is applied only if the last write to each of these keys is the given `writer`; otherwise its result is
   * null.
   */
  readonly if?: readonly If[] | undefined;
  /** The write that a daemon must have before it applies the call: 92 hexadecimal digits, from `lastWrite`. */
  readonly after?: string | undefined;
  /** The id of the only daemon that accepts the call: 64 hexadecimal digits. */
  readonly only?: string | undefined;
  /**
   * Whether the daemon answers only once the order up to this write is final, so that no later write can change its
   * effect. That takes as long as the daemons' window of dates, about 35 s. The default timeout is then 60 s, which is
   * also the maximum.
   */
  readonly stable?: boolean | undefined;
  /**
   * The number of daemons, including the one that answers, that must have this write on disk before the answer: 1 to
   * 99.
   */
  readonly replicated?: number | undefined;
}

/** The options of `HeaderOptions` in the form in which a header contains them. */
export interface EnvelopeOptions {
  readonly db?: number;
  readonly if?: readonly Condition[] | null;
  readonly after?: ByteString | null;
  readonly only?: ByteString | null;
  readonly multi?: boolean;
  /** Whether the members of a list have to decide on the envelope, if there is a list. */
  readonly decide?: boolean;
  /** The event that the answer waits for, or null if there is none. */
  readonly wait?: Wait | null;
}

const DB_MAX = 0x7fffffff;

const isHex = (value: unknown, bytes: number) =>
  typeof value === "string" && bytesOfHex(value, bytes) !== undefined;

export const HEADER_CHECKS: Record<keyof HeaderOptions, (value: unknown) => boolean> = {
  db: isDatabase,
  if: (value) => Array.isArray(value) && value.length > 0 && value.length <= IF_KEYS_MAX && value.every(isIf),
  after: (value) => isHex(value, UNIT_ORDER_KEY_BYTES),
  only: (value) => isHex(value, HASH_BYTES),
  stable: (value) => typeof value === "boolean",
  replicated: (value) => Number.isSafeInteger(value) && Number(value) >= 1 && Number(value) <= DAEMONS_MAX,
};

/**
 * Reads the options of a call's header.
 * @param usual  the client's options, the defaults for the call
 * @returns null if no option is set
 */
export function readHeaderOptions(
  options: HeaderOptions,
  usual: EnvelopeOptions | null = null,
): EnvelopeOptions | null {
  const db = options.db ?? usual?.db ?? 0;
  const wait = waitOf(options, usual?.wait ?? null);
  const conditions = options.if?.map((condition) => conditionOf(condition, db)) ?? usual?.if ?? null;
  const after = bytesOr(options.after, UNIT_ORDER_KEY_BYTES, usual?.after);
  const only = bytesOr(options.only, HASH_BYTES, usual?.only);
  if (db === 0 && wait === null && conditions === null && after === null && only === null) return null;
  return { wait, db, if: conditions, after, only };
}

function bytesOr(hex: string | undefined, bytes: number, usual: string | null | undefined): string | null {
  return (hex === undefined ? usual : bytesOfHex(hex, bytes)) ?? null;
}

/** Whether only the database is set. */
export function isDatabaseAlone(options: EnvelopeOptions): boolean {
  const { multi, if: conditions, after, only, wait, decide } = options;
  return !(multi || conditions || after || only || wait || decide);
}

function waitOf({ stable, replicated }: HeaderOptions, usual: Wait | null): Wait | null {
  if (stable && replicated !== undefined)
    throw badOption("replicated", replicated, ALLOWED_VALUES.withStable);
  if (stable) return { kind: "stable" };
  if (replicated !== undefined) return { kind: "replicated", daemons: replicated };
  return stable === false && usual?.kind === "stable" ? null : usual;
}

function conditionOf({ key, writer, db }: If, callDb: number): Condition {
  const bytes = writer === null ? "" : writerBytes(writer);
  if (bytes === undefined) throw badOption("if", writer, ALLOWED_VALUES.writer);
  return {
    db: db ?? callDb,
    key: typeof key === "string" ? bytesOfText(key) : key.toString("latin1"),
    writer: bytes,
  };
}

function writerBytes(writer: string | Buffer): string | undefined {
  // WRITERS returns an empty writer for an absent key.
  if (writer.length === 0) return "";
  if (typeof writer === "string") return bytesOfHex(writer, UNIT_ID_BYTES);
  return writer.length === UNIT_ID_BYTES ? writer.toString("latin1") : undefined;
}

function isIf(value: unknown): value is If {
  if (typeof value !== "object" || value === null || !("key" in value && "writer" in value)) return false;
  const { key, writer } = value;
  const keyIsBytes = typeof key === "string" ? exactBytesOfText(key) !== null : Buffer.isBuffer(key);
  const isWriter = writer === null || typeof writer === "string" || Buffer.isBuffer(writer);
  return keyIsBytes && isWriter && (!("db" in value) || value.db === undefined || isDatabase(value.db));
}

function isDatabase(value: unknown): boolean {
  return Number.isSafeInteger(value) && Number(value) >= 0 && Number(value) <= DB_MAX;
}
