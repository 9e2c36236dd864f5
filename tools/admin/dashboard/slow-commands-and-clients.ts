/** Shows what the daemon does for its clients: slow commands, and connections with their last commands. */

import { bytesText, countText, millisecondsText, spanText } from "../../../protocol/figures/amount-texts.js";
import { byId, type Cell, fillTable, setText } from "./elements.js";
import { itemsOf, reasonText, shown, textOf } from "./replies.js";
import type { SigningClient } from "./signing-client.js";

const SLOW_MAX = 50;
const CLIENTS_MAX = 200;
const SECOND_MS = 1000;

export async function showSlow(client: SigningClient): Promise<void> {
  let rows: Cell[][] = [];
  let note = "No command has been slower than --slowlog-log-slower-than since the daemon started.";
  try {
    const entries = itemsOf(await client.call(["SLOWLOG", "GET", String(SLOW_MAX)]));
    rows = entries.map((entry) => {
      const [, date, microseconds, argv, remote, name] = itemsOf(entry);
      return [
        { text: new Date(Number(date) * SECOND_MS).toLocaleString(), className: "when" },
        { text: millisecondsText(Number(microseconds) / 1000), className: "number" },
        {
          text: itemsOf(argv)
            .map((word) => shown(textOf(word)))
            .join(" "),
          className: "command",
        },
        { text: [textOf(name), textOf(remote)].filter((one) => one !== "").join(" on ") },
      ];
    });
    if (rows.length > 0) note = `The newest ${countText(rows.length)}; at most ${SLOW_MAX} are shown.`;
  } catch (problem) {
    note = reasonText(problem);
  }
  show("slow", rows, note);
}

export async function showClients(client: SigningClient): Promise<void> {
  let rows: Cell[][] = [];
  let note = "";
  try {
    const lines = textOf(await client.call(["CLIENT", "LIST"]))
      .split("\n")
      .filter((line) => line !== "");
    const clients = lines.map((line) => new URLSearchParams(line.replaceAll(" ", "&")));
    clients.sort((one, other) => Number(one.get("idle")) - Number(other.get("idle")));
    rows = clients.slice(0, CLIENTS_MAX).map(clientRow);
    const more = clients.length - rows.length;
    note = `${countText(clients.length)} connected${more > 0 ? `; the ${countText(more)} with the longest idle time are not shown` : ""}; one of them is this page.`;
  } catch (problem) {
    note = reasonText(problem);
  }
  show("clients", rows, note);
}

function clientRow(fields: URLSearchParams): Cell[] {
  const text = (name: string) => fields.get(name) ?? "";
  const span = (name: string) => spanText(Number(text(name)) * SECOND_MS);
  const command = text("cmd");
  return [
    { text: text("addr"), className: "name" },
    { text: text("listener") },
    { text: text("name") || "–" },
    { text: command === "NULL" ? "none yet" : command, className: "command" },
    { text: span("age"), className: "number" },
    { text: span("idle"), className: "number" },
    { text: bytesText(Number(text("tot-mem"))), className: "number" },
  ];
}

/** Fills a table, which is hidden if it has no rows, and sets the sentence below it. */
export function show(id: string, rows: readonly (readonly Cell[])[], note: string): void {
  fillTable(byId(id), rows);
  byId(id).hidden = rows.length === 0;
  setText(byId(`${id}-note`), note);
}
