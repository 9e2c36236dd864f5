/**
 * The terminal's client: `node dist/examples/chat/terminal.js -a ADDR -p PORT`. A typed line is sent; `/room NAME`, `/earlier`, `/who`, `/quit`.
 */
import { randomUUID } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import { WebSocket } from "ws";
import { type ChatSocket, Conversation, type Told } from "./conversation.js";
import type { Refusal, Rejection } from "./dialect.js";
import { clockOf } from "./message.js";
import type { Person } from "./sessions.js";

/** The file of the uuid, as the exercise's client has it. */
const INFO = "info.json";

const USAGE = `Usage: node dist/examples/chat/terminal.js [-a ADDRESS] [-p PORT] [-n NAME] [--info FILE]
A line typed is said; /room NAME, /earlier, /who, /quit. FILE (${INFO}) keeps who you are.`;

const values = optionsOf();

function optionsOf() {
  try {
    const options = {
      address: { type: "string", short: "a", default: "127.0.0.1" },
      port: { type: "string", short: "p", default: "8888" },
      pseudo: { type: "string", short: "n" },
      info: { type: "string", default: INFO },
      help: { type: "boolean", short: "h" },
    } as const;
    const { values: given } = parseArgs({ options });
    if (!given.help && (!/^\d+$/.test(given.port) || Number(given.port) > 65_535))
      throw new Error(`${given.port} is not a port`);
    if (!given.help) return given;
    console.log(USAGE);
    process.exit(0);
  } catch (problem) {
    console.error(`${(problem as Error).message}\n${USAGE}`);
    process.exit(2);
  }
}

const lines = createInterface({
  input: process.stdin,
  output: process.stdout,
  terminal: process.stdin.isTTY,
});
const colors = process.stdout.isTTY;
let people: readonly Person[] = [];
let hasMore = false;
let isEnding = false;
let conversation: Conversation | null = null;

/** Removes what could move the cursor from texts of other users. */
const plain = (text: string) => text.replace(/[^\P{Cc}\n\t]/gu, "").replaceAll("\n", "\n        ");
const painted = ({ pseudo, color }: Pick<Person, "pseudo" | "color">) =>
  colors ? `\u001b[38;5;${Number(color)}m${plain(pseudo)}\u001b[0m` : plain(pseudo);

const DONE = { joined: "is here", left: "has left", returned: "is back" };

const REFUSED: Readonly<Record<Refusal, string>> = {
  flood: "too fast, it is said again in a moment",
  "not-understood": "the server did not understand that",
  "no-text": "that is empty, or too long",
  "no-room": "a room's name has letters, numbers, - and _",
  "not-kept": "it could not be kept, and is said again in a moment",
};

const REJECTED: Readonly<Record<Rejection, string>> = {
  "no-name": "not a name that you may have, choose another one (-n)",
  taken: "somebody here has this name, or one that looks like it, choose another one (-n)",
  flood: "too many come from your address, wait a little",
  "unknown-session": "your session has ended, come in again",
  "not-understood": "the server did not understand this program",
};

const SHOWN: { readonly [Is in Told["is"]]?: (told: Extract<Told, { is: Is }>) => string | null } = {
  here: ({ you, server, isBack }) => `you are ${painted(you)}, ${isBack ? "back " : ""}at ${server}`,
  silent: ({ server }) => `${server} has sent nothing for some seconds`,
  heard: ({ server }) => `${server} answers again`,
  away: ({ server }) => `${server} does not answer; looking for another one`,
  room: ({ room }) => `room ${room}`,
  message: ({ message, isOwn }) =>
    `${clockOf(message.at)} ${isOwn ? "you" : painted(message)}: ${plain(message.text)}`,
  event: ({ event, isOwn }) => (isOwn ? null : `${clockOf(event.at)} ${painted(event)} ${DONE[event.kind]}`),
  refused: ({ why }) => `not done: ${REFUSED[why]}`,
  rejected: ({ why }) => `not let in: ${REJECTED[why]}`,
};

function tell(told: Told): void {
  if (told.is === "present") people = told.people;
  if (told.is === "earlier") hasMore = told.more;
  if (told.is === "here") keepInfo({ ID: told.session, pseudo: told.you.pseudo });
  const show = SHOWN[told.is] as ((told: Told) => string | null) | undefined;
  const line = show?.(told) ?? null;
  if (line !== null) print(line);
  if (told.is === "rejected" && told.why !== "flood") end(1);
  if (isEnding && conversation?.waiting === 0) conversation.end();
}

const keepInfo = (info: Info) => writeFileSync(values.info, JSON.stringify(info), { mode: 0o600 });

/** Above what is being typed. */
function print(line: string): void {
  if (!process.stdin.isTTY) return void process.stdout.write(`${line}\n`);
  process.stdout.write(`\r\u001b[K${line}\n`);
  lines.prompt(true);
}

interface Info {
  readonly ID: string | null;
  readonly pseudo: string;
}

function keptInfo(): Info {
  const { pseudo = "" } = values;
  if (!existsSync(values.info)) return { ID: null, pseudo };
  try {
    const kept = JSON.parse(readFileSync(values.info, "utf8")) as Partial<Info>;
    const isAnother = pseudo !== "" && pseudo !== kept.pseudo;
    return {
      ID: isAnother || typeof kept.ID !== "string" ? null : kept.ID,
      pseudo: pseudo || (kept.pseudo ?? ""),
    };
  } catch {
    return { ID: null, pseudo };
  }
}

function begin({ ID, pseudo }: Info): Conversation {
  lines.setPrompt("> ");
  return new Conversation({
    servers: [`ws://${values.address}:${values.port}`],
    pseudo,
    session: ID,
    tell,
    makeId: randomUUID,
    makeSocket: (url, protocol) => new WebSocket(url, protocol) as ChatSocket,
  });
}

const COMMANDS: Readonly<Record<string, (conversation: Conversation, rest: string) => void>> = {
  room: (conversation, name) => {
    if (!conversation.goTo(name)) print("not now: what you said waits for a server");
  },
  earlier: (conversation) => (hasMore ? conversation.earlier() : print("nothing earlier")),
  who: () => print(people.map(painted).join(", ")),
  quit: () => end(0),
};

function typed(line: string): void {
  if (conversation === null) {
    if (line.trim() === "") lines.prompt();
    else conversation = begin({ ID: null, pseudo: line.trim() });
    return;
  }
  const [, word = "", rest = ""] = /^\/(\w+)\s*(.*)$/.exec(line) ?? [];
  const command = Object.hasOwn(COMMANDS, word) ? COMMANDS[word] : undefined;
  if (command !== undefined) command(conversation, rest);
  else if (line.trim() !== "" && !conversation.say(line)) print("too much waits for a server: wait, too");
}

function end(code: number): void {
  conversation?.end();
  process.exitCode = code;
  lines.close();
}

const info = keptInfo();
if (info.pseudo !== "") conversation = begin(info);
else {
  lines.setPrompt("name: ");
  lines.prompt();
}
lines.on("line", typed);
// What was piped in is said to its end.
lines.on("close", () => {
  isEnding = true;
  if (!conversation?.waiting) conversation?.end();
});
