/** Dead letters as the daemon's program tells them, and as people are shown them. */
import type { ToldEnvelope, ToldLetter, ToldUnread } from "../../protocol/told-letter.js";
import { formatDate, formatMoment } from "../shared/dates.js";
import { shown } from "../shared/shown-text.js";
import { formatHeadedTable } from "../shared/table.js";

/** Hexadecimal digits of an id that people are shown. */
const SHORT_DIGITS = 12;

/** A letter with bytes instead of base64. */
export interface DeadLetter extends Omit<ToldLetter, "envelope"> {
  readonly envelope: LetterEnvelope | null;
}

interface LetterEnvelope extends Omit<ToldEnvelope, "as" | "conditions" | "commands"> {
  readonly as: Buffer | null;
  /** `writer` null: the key was to be absent. */
  readonly conditions: readonly {
    readonly db: number;
    readonly key: Buffer;
    readonly writer: string | null;
  }[];
  readonly commands: readonly (readonly Buffer[])[];
}

/** @param line  of the program's output */
export function readLetter(line: unknown): DeadLetter {
  const { envelope, ...facts } = line as ToldLetter;
  if (envelope === null) return { ...facts, envelope };
  const { as, commands, conditions } = envelope;
  return {
    ...facts,
    envelope: {
      ...envelope,
      as: as === null ? null : bytes(as),
      commands: commands.map((argv) => argv.map(bytes)),
      conditions: conditions.map(({ db, key, writer }) => ({ db, key: bytes(key), writer: writer || null })),
    },
  };
}

export function formatLetters(letters: readonly DeadLetter[], unread: readonly ToldUnread[]): string {
  const rows = letters.map(({ id, at, state, reason, envelope }) => [
    id.slice(0, SHORT_DIGITS),
    formatDate(at),
    state,
    reason,
    envelope === null ? "(damaged)" : inBrief(envelope),
  ]);
  const table =
    rows.length === 0
      ? "no dead letters\n"
      : formatHeadedTable([["ID", "DATE", "STATE", "WHY", "COMMAND"], ...rows]);
  const remarks = unread.map(
    ({ unread: file, bytes }) => `${shown(file)}: its last ${bytes} bytes cannot be read\n`,
  );
  return table + remarks.join("");
}

export function formatLetter({ id, at, state, since, reason, bytes, envelope }: DeadLetter): string {
  const when = since === null ? "" : `, ${formatDate(since)}`;
  const facts: [string, string][] = [
    ["id", id],
    ["date", formatMoment(at)],
    ["state", `${state}${when}`],
    ["why", reason],
    ["bytes", String(bytes)],
  ];
  if (envelope === null) facts.push(["commands", "damaged"]);
  else {
    const { signer, as, db, multi, conditions, commands } = envelope;
    facts.push(["signer", signer]);
    if (as !== null) facts.push(["for user", shownWord(as)]);
    if (db !== 0) facts.push(["database", String(db)]);
    if (multi) facts.push(["unit", "all commands as one"]);
    for (const { db, key, writer } of conditions)
      facts.push([
        "if",
        `${shownWord(key)} of database ${db}: ${writer === null ? "absent" : `last changed by ${writer}`}`,
      ]);
    for (const argv of commands) facts.push(["command", argv.map(shownWord).join(" ")]);
  }
  return `${facts.map(([name, text]) => `${name.padEnd(10)}${text}\n`).join("")}\n`;
}

function inBrief({ commands: [first = []], count }: LetterEnvelope): string {
  const more = count > 1 ? ` and ${count - 1} more` : "";
  return `${first.map(shownWord).join(" ")}${more}`;
}

/** As it would be typed: in quotes where it has to be, bytes that are no text by their numbers. */
function shownWord(word: Buffer): string {
  const text = word.toString();
  if (!Buffer.from(text).equals(word)) return `base64:${word.toString("base64")}`;
  return shown(/^[^\s"'\p{C}]+$/u.test(text) ? text : JSON.stringify(text));
}

const bytes = (base64: string): Buffer => Buffer.from(base64, "base64");
