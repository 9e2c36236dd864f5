/** What the tests of all listeners send to the listener of one face: `cases` of its file test/listener-cases.ts. */
import type { Reply } from "../../protocol/reply.js";
import { RawClient } from "./raw-client.js";

export interface ListenerCases {
  /** The option of the listener, without dashes. */
  readonly option: string;
  /** Valid requests of one character for each byte. Tests change them at random. */
  readonly inputs: readonly (Buffer | string)[];
  /** What a client sends before its requests, and the end of the answer; default: nothing. */
  readonly opening?: readonly [request: string, answer: string];
  /** A request that a client can repeat, and the end of its answer. */
  readonly repeated: readonly [request: string, answer: string];
  /** Logins, or null if its clients have no names and passwords. */
  readonly users: UserCases | null;
  /** Requests by lines of text, or null if requests are binary, or if none of them writes. */
  readonly text: TextCases | null;
  /** The clients that other ports recognize by their first bytes, by their protocols. */
  readonly clients: Readonly<Record<string, ClientCase>>;
  /** The numbers that clients receive, by descriptions. */
  readonly numbers?: Readonly<Record<string, NumberRow>>;
  /** Checks the answers of a sidecar. @param untilAll  waits until each daemon has the reply to the command */
  readonly ofSidecar?: (
    port: number,
    untilAll: (command: string[], reply: string) => Promise<void>,
  ) => Promise<void>;
}

export interface UserCases {
  /** Tries to write without a login. Rejects if the listener does not refuse this. */
  readonly attempt: (port: number) => Promise<void>;
  /** Logs in as ann with the password topsecret, and mistypes the login. */
  readonly logIn: (port: number) => Promise<unknown>;
}

export interface TextCases {
  /** A request that would write the key `stolen`, without the end of its last line. */
  readonly write: string;
  /** Returns the answer to a first byte that begins no text, or null if it begins a request; default: no answer. */
  readonly answerTo?: (byte: number) => string | null;
}

export interface ClientCase {
  /** The first bytes of a client, with `SECRET` if they contain a value. */
  readonly beginning: Buffer | string;
  /** The error that the client receives on another port. */
  readonly answer: RegExp;
  /** The options of other ports that serve these bytes. */
  readonly servedAt?: readonly string[];
}

export interface NumberRow {
  readonly max: bigint;
  /** Whether such numbers exist only on a daemon that records. Default: no. */
  readonly needsLog?: true;
  /** Returns the numbers in decimal digits. A text that is no integer fails. */
  readonly read: (subject: NumberSubject) => Promise<readonly string[]>;
}

export interface NumberSubject {
  redis(...argv: string[]): Promise<Reply>;
  portOf(option: string): number;
}

/** Sends a request on a new connection. @returns the first line of the answer, or "" if there is none */
export async function firstLine(port: number, request: string): Promise<string> {
  using client = await RawClient.open(port);
  client.send(request);
  return (await client.readTo("\n")).trim();
}

/** Returns the texts of all matches of the first group. */
export const found = (text: string, pattern: RegExp): string[] =>
  [...text.matchAll(pattern)].map(([, number = ""]) => number);
