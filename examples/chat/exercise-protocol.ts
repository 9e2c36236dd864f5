/**
 * The protocol of the exercise, with the texts that its terminal client sends and expects and with fields separated
 * by ESC. It is for connections without a sub-protocol.
 */
import type { Dialect, FirstMessage, Request } from "./chat-protocol.js";
import { clockOf, type Message, type RoomEvent } from "./message.js";

const ESC = "\u001b";
const REJECTED = "Connection rejected";
const NO_NAME = "You must choose un nametag";

const line = (at: number, ...fields: readonly (string | number)[]) => [clockOf(at), ...fields].join(ESC);
/** A client of the exercise prints each message as one line. */
const oneLine = (text: string) => text.replaceAll("\n", " ");

const DONE = { joined: "a rejoint la chatroom", left: "a quitté la chatroom", returned: "est de retour !" };

const said = (message: Message, isOwn: boolean): string =>
  isOwn
    ? line(message.at, `Vous avez dit : ${oneLine(message.text)}`)
    : line(message.at, message.color, message.pseudo, ` a dit : ${oneLine(message.text)}`);

export const words: Dialect = {
  first(text): FirstMessage | null {
    const [, word, rest = ""] = /^(Hello|ID)\|(.*)$/su.exec(text) ?? [];
    if (word === "Hello") return { kind: "begin", pseudo: rest };
    return word === "ID" ? { kind: "resume", uuid: rest.trim() } : null;
  },
  request: (text): Request => ({ kind: "say", id: null, text }),
  welcome: ({ session, isBack }) =>
    isBack ? ["200", line(Date.now(), "Welcome back  !")] : [`ID|${session.uuid}`],
  history: ({ messages, from }) => messages.map((message) => said(message, message.from === from)),
  event(event: RoomEvent, isOwn) {
    if (event.kind === "said") return said(event.message, isOwn);
    if (isOwn && event.kind !== "joined") return null;
    return line(event.at, `Annonce : ${event.pseudo} ${DONE[event.kind]}`);
  },
  kept: (message, isShown) => (isShown ? null : said(message, true)),
  alive: () => null,
  present: () => null,
  refused: ({ why }) => line(Date.now(), `Annonce : ${SENTENCES[why]}`),
  rejected: (why) => (why === "unknown-session" ? REJECTED : NO_NAME),
};

const SENTENCES: Readonly<Record<Parameters<Dialect["refused"]>[0]["why"], string>> = {
  flood: "trop de messages, attendez un peu",
  "not-understood": "message incompris",
  "no-text": "message vide ou trop long",
  "no-room": "pas de salle de ce nom",
  "not-kept": "message non gardé, dites-le encore",
};
