/**
 * The terminal client: `node dist/examples/chat/terminal.js -a ADDR -p PORT`. It sends each typed line. Commands:
 * `/room NAME`, `/earlier`, `/who`, `/quit`.
 */
import { randomUUID } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import { WebSocket } from "ws";
import { type ChatSocket, Conversation, type ConversationEvent } from "./conversation.js";
import { clockOf } from "./message.js";
import type { Refusal, Rejection } from "./page-frames.js";
import type { Person } from "./sessions.js";

/** The file with the UUID, as in the exercise's client. */
const INFO = "info.json";

/** The signals that end the program, for example because its window is closed, with their numbers. */
const SIGNALS = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 } as const;
/** The exit code of a program that was ended by a signal, without the number of the signal. */
const SIGNAL_EXIT = 128;
/** Maximum time in milliseconds to wait for the server after a signal. */
const LEAVE_MAX_MS = 1000;

const USAGE = `Usage: node dist/examples/chat/terminal.js [-a ADDRESS] [-p PORT] [-n NAME] [--info FILE]
Each typed line is sent as a message. Commands: /room NAME, /earlier, /who, /quit. FILE (${INFO}) stores your session.`;

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
    const { values: parsed } = parseArgs({ options });
    if (!parsed.help && (!/^\d+$/.test(parsed.port) || Number(parsed.port) > 65_535))
      throw new Error(`${parsed.port} is not a port`);
    if (!parsed.help) return parsed;
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

/** Removes characters that could move the cursor from texts of other users. */
const plain = (text: string) => text.replace(/[^\P{Cc}\n\t]/gu, "").replaceAll("\n", "\n        ");
const painted = ({ pseudo, color }: Pick<Person, "pseudo" | "color">) =>
  colors ? `\u001b[38;5;${Number(color)}m${plain(pseudo)}\u001b[0m` : plain(pseudo);

const DONE = { joined: "is here", left: "has left", returned: "is back" };

const REFUSED: Readonly<Record<Refusal, string>> = {
  flood: "too fast, it is sent again in a moment",
  "not-understood": "the server did not understand that",
  "no-text": "that is empty, or too long",
  "no-room": "a room's name has letters, numbers, - and _",
  "not-kept": "it could not be stored, and is sent again in a moment",
};

const REJECTED: Readonly<Record<Rejection, string>> = {
  "no-name": "this name is not permitted, choose another one (-n)",
  taken: "another user has this name or a similar one, choose another one (-n)",
  flood: "too many sessions from your address, wait a moment",
  "unknown-session": "your session has ended, start the program again",
  "not-understood": "the server did not understand this program",
};

const LINES: {
  readonly [Is in ConversationEvent["is"]]?: (event: Extract<ConversationEvent, { is: Is }>) => string | null;
} = {
  here: ({ you, server, isBack }) => `you are ${painted(you)}, ${isBack ? "back " : ""}at ${server}`,
  silent: ({ server }) => `${server} has sent nothing for some seconds`,
  heard: ({ server }) => `${server} answers again`,
  away: ({ server }) => `${server} does not answer; looking for another one`,
  room: ({ room }) => `room ${room}`,
  message: ({ message, isOwn }) =>
    `${clockOf(message.at)} ${isOwn ? "you" : painted(message)}: ${plain(message.text)}`,
  event: ({ event, isOwn }) => (isOwn ? null : `${clockOf(event.at)} ${painted(event)} ${DONE[event.kind]}`),
  refused: ({ why }) => `not done: ${REFUSED[why]}`,
  rejected: ({ why }) => `rejected: ${REJECTED[why]}`,
};

function handleEvent(event: ConversationEvent): void {
  if (event.is === "present") people = event.people;
  if (event.is === "earlier") hasMore = event.more;
  if (event.is === "here") writeInfo({ ID: event.session, pseudo: event.you.pseudo });
  const show = LINES[event.is] as ((event: ConversationEvent) => string | null) | undefined;
  const line = show?.(event) ?? null;
  if (line !== null) print(line);
  if (event.is === "rejected" && event.why !== "flood") end(1);
  if (isEnding && conversation?.waiting === 0) conversation.end();
}

const writeInfo = (info: Info) => writeFileSync(values.info, JSON.stringify(info), { mode: 0o600 });

/** Prints a line above the current input. */
function print(line: string): void {
  if (!process.stdin.isTTY) return void process.stdout.write(`${line}\n`);
  process.stdout.write(`\r\u001b[K${line}\n`);
  lines.prompt(true);
}

interface Info {
  readonly ID: string | null;
  readonly pseudo: string;
}

function readInfo(): Info {
  const { pseudo = "" } = values;
  if (!existsSync(values.info)) return { ID: null, pseudo };
  try {
    const stored = JSON.parse(readFileSync(values.info, "utf8")) as Partial<Info>;
    const isAnother = pseudo !== "" && pseudo !== stored.pseudo;
    return {
      ID: isAnother || typeof stored.ID !== "string" ? null : stored.ID,
      pseudo: pseudo || (stored.pseudo ?? ""),
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
    onEvent: handleEvent,
    makeId: randomUUID,
    makeSocket: (url, protocol) => new WebSocket(url, protocol) as ChatSocket,
  });
}

const COMMANDS: Readonly<Record<string, (conversation: Conversation, rest: string) => void>> = {
  room: (conversation, name) => {
    if (!conversation.goTo(name)) print("not now: a message is waiting for a server");
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
  else if (line.trim() !== "" && !conversation.say(line))
    print("too many messages are waiting for a server: try again later");
}

function end(code: number): void {
  conversation?.end();
  process.exitCode = code;
  lines.close();
  // An open pipe would otherwise keep the program running.
  process.stdin.destroy();
}

// The server frees the name immediately if the program leaves, and after a minute and a half if it is only
// disconnected.
for (const [signal, number] of Object.entries(SIGNALS))
  process.once(signal, () => {
    end(SIGNAL_EXIT + number);
    setTimeout(() => process.exit(), LEAVE_MAX_MS).unref();
  });

const info = readInfo();
if (info.pseudo !== "") conversation = begin(info);
else {
  lines.setPrompt("name: ");
  lines.prompt();
}
lines.on("line", typed);
// All lines of a pipe are sent before the program ends.
lines.on("close", () => {
  isEnding = true;
  if (!conversation?.waiting) conversation?.end();
});
