/** Recorded units as TIMELINE reports them, and their formatting as text. */
import type { ReplyValue } from "../../client/shared/reply-value.js";
import { shown, type Tone } from "../../daemon/net/terminal/terminal-text.js";
import { formatTable } from "../../daemon/net/terminal/text-table.js";
import { formatExactDate } from "../cli/shared/date-text.js";
import { fieldsOf } from "../cli/shared/output.js";
import { BinaryText } from "./binary-text.js";

/** Number of hexadecimal digits of an id that are shown. */
const SHORT_DIGITS = 12;

/** An argument of a command, or a reply to a command. */
export type RecordedArgument = string | BinaryText;

/** A recorded command, or several commands that formed one unit. Times are in milliseconds since 1970. */
export interface RecordedUnit {
  readonly at: number;
  readonly seq: number;
  /** The envelope's id, hexadecimal. */
  readonly id: string;
  /** The position in the envelope. */
  readonly index: number;
  /** Id of the signer's key. */
  readonly signer: string;
  readonly label: string;
  /** The user of a listener without signatures, or null if the signer signed for itself. */
  readonly as: string | null;
  readonly db: number;
  /** The commands; long commands are truncated and end with an ellipsis. */
  readonly commands: readonly (readonly RecordedArgument[])[];
  /** The outcome; `error`: the unit was permitted but failed. */
  readonly outcome: "applied" | "error" | "denied" | "unmet" | "malformed";
  /** The beginning of the reply. */
  readonly reply: RecordedArgument;
  /** The change of the key, for `blame`, or null if it was not requested. */
  readonly change: string | null;
}

/** Colours of outcomes; all other outcomes are plain. */
const TONES: ReadonlyMap<string, Tone> = new Map([
  ["error", "warn"],
  ["unmet", "warn"],
  ["denied", "bad"],
  ["malformed", "bad"],
]);

export interface HistoryReport {
  /** The first date that was requested. */
  readonly from: number;
  /** Date of the snapshot with which the log begins, or null if it begins with the first command. */
  readonly snapshot: number | null;
  /** Number of entries that the daemon could not read; the units after them may differ from the original ones. */
  readonly damaged: number;
  /** Number of older units that were omitted. */
  readonly omitted: number;
  readonly units: readonly RecordedUnit[];
}

export function readHistory(reply: ReplyValue): HistoryReport {
  const { from, snapshot, damaged, left, units } = fieldsOf(reply);
  return {
    from: Number(from),
    snapshot: snapshot == null ? null : Number(snapshot),
    damaged: Number(damaged),
    omitted: Number(left),
    units: Array.isArray(units) ? units.map(readUnit) : [],
  };
}

/** Returns the report with the field names of `--json`. */
export function historyJson({ from, snapshot, damaged, omitted, units }: HistoryReport): object {
  return { from, snapshot, damaged, left: omitted, units };
}

function readUnit(reply: ReplyValue): RecordedUnit {
  const fields = fieldsOf(reply);
  const text = (name: string) => String(fields[name] ?? "");
  const { commands, as, change } = fields;
  return {
    at: Number(fields["at"]),
    seq: Number(fields["seq"]),
    id: text("id"),
    index: Number(fields["index"]),
    signer: text("signer"),
    label: text("label"),
    as: as == null ? null : String(as),
    db: Number(fields["db"]),
    commands: Array.isArray(commands)
      ? commands.map((argv) => (Array.isArray(argv) ? argv.map(wordOf) : []))
      : [],
    outcome: text("outcome") as RecordedUnit["outcome"],
    reply: wordOf(fields["reply"] ?? ""),
    change: change == null ? null : String(change),
  };
}

function wordOf(value: ReplyValue): RecordedArgument {
  return Buffer.isBuffer(value) ? new BinaryText(value) : String(value);
}

/** Formats one line per unit, oldest first, followed by remarks. */
export function formatHistory({ snapshot, damaged, omitted, units }: HistoryReport): string {
  const rows = units.map((unit) => [
    formatExactDate(unit.at),
    unit.change ?? unit.outcome,
    signerOf(unit),
    `${shownCommands(unit)}${shownOutcome(unit)}`,
  ]);
  const remarks = [
    ...(omitted > 0 ? [`${omitted} older commands are left out; --limit shows more.`] : []),
    ...(damaged > 0
      ? [
          `The daemon could not read ${damaged} entries, so the commands after them may be shown with wrong outcomes.`,
        ]
      : []),
    ...(snapshot !== null && units[0]?.change != null
      ? [
          `Commands before ${formatExactDate(snapshot)} are unknown: the log begins with a snapshot of that date.`,
        ]
      : []),
  ];
  return `${formatTable(rows, (row) => TONES.get(units[row]?.outcome ?? "") ?? "plain")}${remarks.map((remark) => `${remark}\n`).join("")}`;
}

function signerOf({ label, signer, as }: RecordedUnit): string {
  const short = signer.slice(0, SHORT_DIGITS);
  const name = label === "" ? short : `${shown(label)} (${short})`;
  if (as === null) return name;
  // For a client of version 1, `as` is the id of the client's key, because the daemon signed the envelope.
  return `${/^[\da-f]{64}$/.test(as) ? as.slice(0, SHORT_DIGITS) : shown(as)} by ${name}`;
}

function shownCommands({ commands, db }: RecordedUnit): string {
  const text = commands.map((argv) => argv.map(shownWord).join(" ")).join("; ");
  return db === 0 ? text : `[db ${db}] ${text}`;
}

function shownOutcome({ outcome, reply, change }: RecordedUnit): string {
  if (outcome === "unmet") return "  → its conditions were not met";
  // A unit that changed the key was applied, so its outcome needs no mention.
  if (change !== null) return "";
  return `  → ${outcome === "applied" ? shownWord(reply) : shown(String(reply))}`;
}

/** Returns an argument as a user would type it, with quotes if needed. */
function shownWord(text: RecordedArgument): string {
  if (text instanceof BinaryText) return String(text);
  return /^[^\s"'\p{C}]+$/u.test(text) ? text : shown(JSON.stringify(text));
}
