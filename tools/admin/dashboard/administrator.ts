/**
 * Signs in an administrator, whose key may read more data, and shows the tables that administrators see: the log, the
 * dead letters, the signing keys, slow commands, and connections with their last commands. The page then loads the
 * client dbsyncd/browser, which sends signed requests to the daemon's --ws. The daemon checks each request against the
 * key's rules.
 */
import { bytesText, countText, millisecondsText, spanText } from "../../../protocol/figures/amount-texts.js";
import type { DashboardFrame } from "../../../protocol/json/dashboard-frame.js";
import { byId, type Cell, fillTable, setText } from "./elements.js";
import { KeyBrowser } from "./key-browser.js";
import {
  commandsText,
  dateOf,
  fieldsOf,
  itemsOf,
  reasonText,
  type SignedReply,
  type SigningClient,
  type SigningModule,
  shortId,
  shown,
  signerText,
  textOf,
} from "./replies.js";
import { dateText } from "./times.js";

const UNITS_MAX = 200;
const DEAD_LETTERS_MAX = 50;
const MINUTE_MS = 60_000;

function prepareLog(client: SigningClient): void {
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
  const argv = ["TIMELINE", "LOG", "FROM", String(from), "LIMIT", String(UNITS_MAX)];
  if (value("touching") !== "") argv.push("KEY", value("touching"));
  if (value("signer") !== "") argv.push("SIGNER", value("signer"));
  return argv;
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
  const more = Number(left) > 0 ? `; ${countText(Number(left))} older units are not shown` : "";
  setText(
    byId("found"),
    rows.length === 0 ? "Nothing was recorded in that time." : `${countText(rows.length)} found${more}.`,
  );
}

async function showDeadLetters(client: SigningClient): Promise<void> {
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

function showKeyList(reply: SignedReply): void {
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

const SLOW_MAX = 50;
const CLIENTS_MAX = 200;
const SECOND_MS = 1000;

/** Shows the slow commands. */
async function showSlow(client: SigningClient): Promise<void> {
  let rows: Cell[][] = [];
  let note = "No command has been slower than --slowlog-log-slower-than since the daemon started.";
  try {
    const entries = itemsOf(await client.call(["SLOWLOG", "GET", String(SLOW_MAX)]));
    rows = entries.map((entry) => {
      const [, date, microseconds, argv, remote, name] = itemsOf(entry);
      return [
        { text: dateText(Number(date) * SECOND_MS), className: "when" },
        { text: millisecondsText(Number(microseconds) / 1000), className: "number" },
        {
          text: itemsOf(argv)
            .map((argument) => shown(textOf(argument)))
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

async function showClients(client: SigningClient): Promise<void> {
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
function show(id: string, rows: readonly (readonly Cell[])[], note: string): void {
  fillTable(byId(id), rows);
  byId(id).hidden = rows.length === 0;
  setText(byId(`${id}-note`), note);
}

/** The name under which the browser stores the key, for pages of this address. */
const KEY_NAME = "dashboard";
/** The rules that the page needs; all its requests are reads. */
const RULES =
  "+@read +timeline|log +timeline|blame +timeline|deadletters +key|list +config|get +client|list +slowlog|get ~*";

export function prepareSigning(frame: () => DashboardFrame | null): void {
  let client: SigningClient | null = null;
  setText(
    byId("authorize"),
    `dbsync keys add page.pem --label dashboard --rules "${RULES}" -k root-private.pem`,
  );

  byId("unlock").addEventListener("click", async () => {
    setText(byId("signed-problem"), "");
    try {
      client ??= await open(frame());
      showKeyList(await client.call(["KEY", "LIST"]));
    } catch (problem) {
      await explain(problem, client);
      return;
    }
    byId("introduce").hidden = true;
    byId("sign-in").hidden = true;
    if (byId("admitted").hidden) showAdministration(client);
  });
}

/** Shows how to sign in, or what the daemon needs before an administrator can sign in. */
export function showSignIn({ keys, ws }: DashboardFrame): void {
  const missing = [
    ...(keys === null ? ["-s"] : []),
    ...(keys?.["root"] === undefined ? ["--root-key"] : []),
    ...(ws === null ? ["--ws"] : []),
  ];

  const canSignIn = missing.length === 0;
  byId("no-sign-in").hidden = canSignIn;
  const reason = keys === null ? "This daemon accepts unsigned commands: it has no keys and no log. " : "";
  const options = `${missing.slice(0, -1).join(", ")}${missing.length > 1 ? " and " : ""}${missing.at(-1) ?? ""}`;
  setText(
    byId("no-sign-in"),
    `${reason}To sign in here, start it with ${options}: an administrator's key authorizes this browser, and --ws receives the page's signed requests.`,
  );
  byId("sign-in").hidden = !canSignIn || !byId("admitted").hidden;
}

/** Shows the parts for administrators. Each part loads its data and shows its own error. */
function showAdministration(client: SigningClient): void {
  byId("admitted").hidden = false;
  const read = () => {
    void showSlow(client);
    void showClients(client);
    void showDeadLetters(client);
  };

  read();
  byId("refresh").addEventListener("click", read);
  // A new page holds nothing of what was read. The browser keeps its key.
  byId("sign-out").addEventListener("click", () => location.reload());
  byId("refresh").focus();
  prepareLog(client);
  new KeyBrowser(client).start();
}

async function open(frame: DashboardFrame | null): Promise<SigningClient> {
  // The button is shown only while a frame names this address.
  if (frame === null || frame.ws === null) throw new Error("the daemon has no --ws");
  if (!isSecureContext)
    throw new Error("browsers sign only on pages loaded by https or from localhost: use a tunnel (ssh -L)");

  const path = "/dbsync.js";
  const { createClient } = (await import(path)) as SigningModule;
  const { port, isSecure } = frame.ws;
  return createClient({
    servers: `${isSecure ? "wss" : "ws"}://${location.hostname}:${port}`,
    key: KEY_NAME,
    timeout: 10_000,
  });
}

/**
 * Explains an error: the key is unknown or has no permission, or the daemon does not accept connections from the page.
 */
async function explain(problem: unknown, client: SigningClient | null): Promise<void> {
  const text = String(problem instanceof Error ? problem.message : problem);
  if (client === null) {
    setText(byId("signed-problem"), text);
    return;
  }

  if (/unknown-key|NOPERM|refused|revoked/.test(text)) {
    byId<HTMLTextAreaElement>("pem").value = await client.publicKeyPem();
    byId("introduce").hidden = false;
    const isNew = /unknown-key/.test(text);
    setText(byId("signed-problem"), isNew ? "The daemon does not know this browser's key yet." : text);
    return;
  }

  const cure = `If --ws is not on loopback, or --ws-origin names other sites, start the daemon also with --ws-origin ${location.origin}.`;
  setText(byId("signed-problem"), `${text}. ${cure}`);
}
