/**
 * The form of one past unit in the answers of TIMELINE: its signer, date, commands and outcome. Source:
 * docs/protocol-v2.md "TIMELINE".
 */
import { type ByteString, bytesOfText } from "../../../protocol/byte-string.js";
import {
  array,
  bulk,
  bulks,
  integer,
  map,
  NIL,
  namesAndValues,
  type Reply,
} from "../../../protocol/reply.js";
import { hexOf } from "../../../protocol/version-2/envelope.js";
import type { KeyRecord } from "../../store/rights/key-record.js";
import type { UnitAnswer } from "../../timeline/fold/fold-unit.js";
import type { RecalledUnit } from "../../timeline/history-fold.js";

/** The maximum number of bytes that are shown of an argument or a reply. */
const SHOWN_BYTES_MAX = 128;
/** The maximum number of arguments that are shown of a unit, including the names of its commands: at most 2 KB. */
const SHOWN_ARGUMENTS_MAX = 16;

/** The text that replaces omitted bytes and arguments. */
export const ELLIPSIS = bytesOfText("…");

export type Outcome = UnitAnswer["outcome"] | "error";

/** Returns the outcome of a unit; `error` means that it was permitted, but its command has failed. */
export function outcomeOf({ answer: { outcome, reply } }: RecalledUnit): Outcome {
  return outcome === "applied" && reply.kind === "error" ? "error" : outcome;
}

/**
 * The maximum size in bytes of an entry that is kept in memory until its report is needed. Most reports are never
 * needed.
 */
const KEPT_BYTES_MAX = 1024;

/**
 * Returns a function that returns the report of a unit. For a short entry, the report is created when that function is
 * called. For a longer entry it is created now, so that the entry itself need not stay in memory.
 * @param signer  the signer's record at that time, absent if unknown
 * @param more    further names and values, which follow the fixed ones
 */
export function reporting(
  unit: RecalledUnit,
  signer: KeyRecord | undefined,
  more: readonly Reply[] = [],
): () => Reply {
  const { entry, index, commands, answer } = unit;
  const label = signer?.label ?? "";
  const [outcome, reply] = [outcomeOf(unit), shownReply(answer.reply)];
  const make = () => {
    const { at, seq, key, db, as } = entry.envelope;
    const fields: Record<string, Reply> = {
      at: integer(at),
      seq: integer(seq),
      id: bulk(hexOf(entry.id)),
      index: integer(index),
      signer: bulk(hexOf(key)),
      label: bulk(label),
      as: as === null ? NIL : bulk(as),
      db: integer(db),
      commands: shownCommands(commands),
      outcome: bulk(outcome),
      reply: bulk(reply),
    };
    return map([...namesAndValues(fields), ...more]);
  };
  if (entry.body.length <= KEPT_BYTES_MAX) return make;
  const report = make();
  return () => report;
}

/** Shows at least the name of each command, as long as there is space. */
export function shownCommands(commands: readonly (readonly ByteString[])[]): Reply {
  const shown: Reply[] = [];
  let room = SHOWN_ARGUMENTS_MAX;
  for (const argv of commands) {
    if (room === 0) break;
    const args = argv.slice(0, room).map(cut);
    room -= args.length;
    shown.push(bulks(args.length === argv.length ? args : [...args, andMore(argv.length - args.length)]));
  }
  const left = commands.length - shown.length;
  return array(left === 0 ? shown : [...shown, bulks([andMore(left)])]);
}

const andMore = (count: number): ByteString => `${ELLIPSIS}+${count}`;

/** Shortens a long value, without keeping the remaining bytes in memory. */
function cut(bytes: ByteString): ByteString {
  if (bytes.length <= SHOWN_BYTES_MAX) return bytes;
  return Buffer.from(bytes.slice(0, SHOWN_BYTES_MAX), "latin1").toString("latin1") + ELLIPSIS;
}

function shownReply(reply: Reply): ByteString {
  switch (reply.kind) {
    case "status":
    case "error":
      return cut(reply.text);
    case "bulk":
    case "verbatim":
      return cut(reply.bytes);
    case "integer":
    case "double":
      return String(reply.value);
    case "nil":
    case "nil-array":
      return "(nil)";
    case "resp3":
      return shownReply(reply.plain);
    default: {
      const [first] = reply.items;
      const { length } = reply.items;
      if (first === undefined) return "(empty)";
      return length === 1 ? shownReply(first) : cut(`${shownReply(first)} ${andMore(length - 1)}`);
    }
  }
}
