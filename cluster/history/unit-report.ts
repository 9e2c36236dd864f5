/**
 * One unit of the past as TIMELINE answers it: its signer, date, commands and outcome. Source: docs/protocol-v2.md
 * "TIMELINE".
 */
import { type ByteString, bytesOfText } from "../../protocol/byte-string.js";
import { array, bulk, bulks, integer, map, NIL, namesAndValues, type Reply } from "../../protocol/reply.js";
import { hexOf } from "../../protocol/version-2/envelope.js";
import type { KeyRecord } from "../../store/rights/key-record.js";
import type { RecalledUnit } from "../../timeline/recall.js";

/** Bytes of an argument, or of a reply, that are shown. */
const SHOWN_BYTES_MAX = 128;
/** Arguments that are shown of a unit, the names of its commands included: 2 KB at most. */
const SHOWN_ARGUMENTS_MAX = 16;

/** Replaces what is not shown. */
export const ELLIPSIS = bytesOfText("…");

export type Outcome = "applied" | "error" | "denied" | "unmet" | "malformed";

/** Returns the outcome of a unit; `error`: it was permitted, and its command has failed. */
export function outcomeOf({ answer: { outcome, reply } }: RecalledUnit): Outcome {
  return outcome === "applied" && reply.kind === "error" ? "error" : outcome;
}

/** Bytes up to which an entry is kept until its report is required, since most reports never are. */
const KEPT_BYTES_MAX = 1024;

/**
 * Returns the report of a unit, made now or when it is required; meanwhile it keeps few objects alive.
 * @param signer  its record as of then; absent: unknown
 * @param more    names and values after the fixed ones
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

/** Shows at least the name of each command, as long as there is room. */
export function shownCommands(commands: readonly (readonly ByteString[])[]): Reply {
  const shown: Reply[] = [];
  let room = SHOWN_ARGUMENTS_MAX;
  for (const argv of commands) {
    if (room === 0) break;
    const words = argv.slice(0, room).map(cut);
    room -= words.length;
    shown.push(bulks(words.length === argv.length ? words : [...words, andMore(argv.length - words.length)]));
  }
  const left = commands.length - shown.length;
  return array(left === 0 ? shown : [...shown, bulks([andMore(left)])]);
}

const andMore = (count: number): ByteString => `${ELLIPSIS}+${count}`;

/** Its beginning, which keeps nothing of the rest in memory. */
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
