/** Dead letters as text, and as JSON. */
import { escapedText } from "../../daemon/net/terminal/terminal-text.js";
import { formatHeadedTable } from "../../daemon/net/terminal/text-table.js";
import type {
  DeadLetterEnvelope,
  DeadLetterList,
  ListedDeadLetter,
} from "../cli/folder/folder-dead-letters.js";
import { formatDate, formatExactDate } from "../cli/shared/date-text.js";

/** Returns a dead letter for `--json`, with arguments in base64, and an empty `writer` if the key had to be absent. */
export function jsonDeadLetter({ envelope, ...facts }: ListedDeadLetter): object {
  if (envelope === null) return { ...facts, envelope };
  const { as, conditions, commands, choices } = envelope;
  return {
    ...facts,
    envelope: {
      ...envelope,
      as: as === null ? null : base64(as),
      conditions: conditions.map(({ unit, db, key, writer }) => ({
        unit,
        db,
        key: base64(key),
        writer: writer ?? "",
      })),
      commands: commands.map((argv) => argv.map(base64)),
      choices: choices.map(({ index, took }) => ({ index, took: took.map(base64) })),
    },
  };
}

export function formatDeadLetters({ deadLetters, unread }: DeadLetterList): string {
  const rows = deadLetters.map(({ id, at, state, reason, envelope }) => [
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
  const remarks = unread.map(({ file, reason }) => `${escapedText(file)}: ${reason}\n`);
  return table + remarks.join("");
}

export function formatDeadLetter({
  id,
  at,
  state,
  since,
  reason,
  bytes,
  envelope,
}: ListedDeadLetter): string {
  const when = since === null ? "" : `, ${formatDate(since)}`;
  const facts: [string, string][] = [
    ["id", id],
    ["date", formatExactDate(at)],
    ["state", `${state}${when}`],
    ["why", reason],
    ["bytes", String(bytes)],
  ];

  if (envelope === null) facts.push(["commands", "damaged"]);
  else {
    const { signer, as, db, multi, units, conditions, commands, choices } = envelope;
    const tookAt = new Map(choices.map(({ index, took }) => [index, took]));
    facts.push(["signer", signer]);
    if (as !== null) facts.push(["for user", shownWord(as)]);
    if (db !== 0) facts.push(["database", String(db)]);
    if (multi) facts.push(["unit", "all commands in one step"]);
    if (units !== null) facts.push(["units", `of ${units.join(", ")} commands, each in one step`]);

    for (const { unit, db, key, writer } of conditions)
      facts.push([
        "if",
        `${unit === null ? "" : `command ${unit + 1}: `}${shownWord(key)} of database ${db}: ${writer === null ? "absent" : `last changed by ${writer}`}`,
      ]);
    for (const [index, argv] of commands.entries()) {
      facts.push(["command", argv.map(shownWord).join(" ")]);
      const took = tookAt.get(index);
      if (took !== undefined) facts.push(["took", took.map(shownWord).join(" ") || "nothing"]);
    }
  }

  return `${facts.map(([name, text]) => `${name.padEnd(10)}${text}\n`).join("")}\n`;
}

function inBrief({ commands: [first = []], count }: DeadLetterEnvelope): string {
  const more = count > 1 ? ` and ${count - 1} more` : "";
  return `${first.map(shownWord).join(" ")}${more}`;
}

/** Returns an argument as a user would type it, with quotes if needed; bytes that are not text are in base64. */
function shownWord(word: Buffer): string {
  const text = word.toString();
  if (!Buffer.from(text).equals(word)) return `base64:${word.toString("base64")}`;
  return escapedText(/^[^\s"'\p{C}]+$/u.test(text) ? text : JSON.stringify(text));
}

const base64 = (bytes: Buffer): string => bytes.toString("base64");

export const SHORT_DIGITS = 12;

export const unreadablePages = (count: number): string =>
  `${count} pages of the folder cannot be read: run dbsync log verify`;
