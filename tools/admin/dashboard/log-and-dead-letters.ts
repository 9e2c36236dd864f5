/** Shows the log, the dead letters and the signing keys of the daemon. */

import { countText } from "../../../protocol/figures/amount-texts.js";
import { byId, type Cell, fillTable, setText } from "./elements.js";
import {
  commandsText,
  dateOf,
  fieldsOf,
  itemsOf,
  reasonText,
  shortId,
  shown,
  signerText,
  textOf,
} from "./replies.js";
import type { SignedReply, SigningClient } from "./signing-client.js";
import { show } from "./slow-commands-and-clients.js";

const UNITS_MAX = 200;
const DEAD_LETTERS_MAX = 50;
const MINUTE_MS = 60_000;

export function prepareLog(client: SigningClient): void {
  byId("search").addEventListener("submit", async (event) => {
    event.preventDefault();
    setText(byId("found"), "Searching…");
    try {
      showLog(await client.call(queryOf((id) => byId<HTMLInputElement>(id).value.trim())));
    } catch (problem) {
      setText(byId("found"), reasonText(problem));
    }
  });
}

function queryOf(value: (id: string) => string): string[] {
  const from = Date.now() - Math.max(1, Number(value("minutes"))) * MINUTE_MS;
  const words = ["TIMELINE", "LOG", "FROM", String(from), "LIMIT", String(UNITS_MAX)];
  if (value("touching") !== "") words.push("KEY", value("touching"));
  if (value("signer") !== "") words.push("SIGNER", value("signer"));
  return words;
}

function showLog(reply: SignedReply): void {
  const { units, left } = fieldsOf(reply);
  const rows = itemsOf(units).map((item): Cell[] => {
    const fields = fieldsOf(item);
    const outcome = textOf(fields["outcome"]);
    return [
      { text: dateOf(fields["at"]), className: "when" },
      { text: signerText(fields), className: "name" },
      { text: commandsText(fields["commands"]), className: "command" },
      { text: outcome, className: outcome === "applied" ? "" : "warn" },
      { text: shown(textOf(fields["reply"])), className: "reply" },
    ];
  });
  fillTable(byId("log"), rows);
  byId("log").hidden = rows.length === 0;
  const more = Number(left) > 0 ? `; ${countText(Number(left))} older commands are not shown` : "";
  setText(
    byId("found"),
    rows.length === 0 ? "Nothing was recorded in that time." : `${countText(rows.length)} found${more}.`,
  );
}

export async function showDeadLetters(client: SigningClient): Promise<void> {
  let rows: Cell[][] = [];
  let note = "No dead letters: all acknowledged writes of this daemon are in its timeline.";
  try {
    const { letters, left } = fieldsOf(
      await client.call(["TIMELINE", "DEADLETTERS", "LIMIT", String(DEAD_LETTERS_MAX)]),
    );
    rows = itemsOf(letters).map(deadLetterRow);
    const more = Number(left) > 0 ? `; ${countText(Number(left))} newer dead letters are not shown` : "";
    if (rows.length > 0)
      note = `${countText(rows.length)} shown${more}. To write them again or remove them, run dbsync dead-letters on this daemon's machine.`;
  } catch (problem) {
    const text = reasonText(problem);
    note = /TIMELINE is answered by/.test(text)
      ? "This daemon records no writes, and has no dead letters."
      : text;
  }
  show("letters", rows, note);
}

function deadLetterRow(item: SignedReply): Cell[] {
  const fields = fieldsOf(item);
  const { commands, id, state, reason } = fields;
  return [
    { text: dateOf(fields["at"]), className: "when" },
    { text: textOf(state), className: state === "written" ? "good" : "warn" },
    { text: textOf(reason) },
    { text: fields["signer"] === null ? "–" : signerText(fields), className: "name" },
    { text: commands === null ? "cannot be read" : commandsText(commands), className: "command" },
    { text: shortId(id), copy: textOf(id) },
  ];
}

export function showKeyList(reply: SignedReply): void {
  const rows = itemsOf(reply).map((item): Cell[] => {
    const { label, state, role, rules, id } = fieldsOf(item);
    return [
      { text: label === "" ? "–" : textOf(label), className: "name" },
      { text: textOf(state), className: state === "valid" ? "good" : "bad" },
      { text: textOf(role) },
      { text: itemsOf(rules).map(textOf).join(" "), className: "command" },
      { text: shortId(id), copy: textOf(id) },
    ];
  });
  fillTable(byId("key-list"), rows);
}
