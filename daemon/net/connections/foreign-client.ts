/**
 * Recognizes clients of a protocol that the port does not serve, by the first bytes that they send. For each protocol
 * there is an answer to the client, and a text for the log. The texts are fixed and do not repeat received bytes. Web
 * servers refuse such clients with an HTTP error.
 */

import type { Duplex } from "node:stream";
import { writeFrame } from "../../../protocol/frame.js";
import { writeRefused } from "../../../protocol/version-2/messages-v2.js";

export interface ForeignClient {
  /** The name of the client's protocol. */
  readonly protocol: string;
  /** The reason for the refusal, which the log and the answer contain. */
  readonly detail: string;
  /**
   * The answer in the client's protocol, one character for each byte, or null to close the connection without an
   * answer, because the protocol has no suitable one.
   */
  readonly answer: string | null;
  /** Whether the client must send another message before it can show an error, so that the connection stays open. */
  readonly isInterim: boolean;
}

/** The maximum number of bytes that are examined. */
const EXAMINED_MAX = 2048;

/** A protocol that a port of dbsyncd serves, or that clients may try there. */
export interface Protocol {
  /** Its name; for a port that of its option. */
  readonly protocol: string;
  /**
   * Whether the first bytes of a connection belong to the protocol.
   * @param head  the bytes, one character each
   * @param here  the protocol of the port
   */
  readonly begins: (head: string, chunk: Buffer, here: string) => boolean;
  /** A description of the client, and the option that serves it. */
  readonly served: string;
  readonly answer: ((text: string, chunk: Buffer) => string) | null;
  /** Whether the client must send another message after the answer before it can show an error; default: no. */
  readonly isInterim?: (chunk: Buffer) => boolean;
}

/** The protocols that a face or a tool adds, and descriptions of what its ports serve, by the ports' protocols. */
export interface ProtocolGroup {
  readonly protocols: readonly Protocol[];
  readonly ports: Readonly<Record<string, string>>;
}

const HTTP = /^(?:GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS|CONNECT|TRACE) \S+ HTTP\/\d/;

/** The protocols of every daemon. HTTP is one of them: a web page must not make a browser write to any port. */
const OWN: ProtocolGroup = {
  ports: { dbsync: "dbsync's protocol (--port)" },
  protocols: [
    {
      protocol: "tls",
      begins: (_, chunk) => chunk[0] === 0x16 && chunk[1] === 3,
      served: "a TLS client; dbsyncd speaks TLS with --tls-cert and --tls-key",
      answer: null,
    },
    {
      protocol: "http",
      begins: (head) => HTTP.test(head),
      served:
        "a browser or another HTTP client; --admin serves the dashboard, and --ws serves web pages that send commands",
      answer: httpAnswer,
    },
    {
      protocol: "dbsync",
      begins: (head) => /^ds2:\d/.test(head),
      served: "a dbsync client; --port serves dbsync's protocol",
      answer: dbsyncAnswer,
    },
    {
      protocol: "dbsync",
      begins: (head) => /^ds:\d/.test(head),
      served: "a client for version 1 of dbsync's protocol; --port serves it",
      answer: null,
    },
  ],
};

/** All known protocols. The first that recognizes a client's first bytes counts. */
let protocols: readonly Protocol[] = OWN.protocols;
let ports: Readonly<Record<string, string>> = OWN.ports;

/** Sets the protocols of the faces and tools, in addition to those of every daemon. */
export function knowProtocols(groups: readonly ProtocolGroup[]): void {
  protocols = [OWN, ...groups].flatMap((group) => group.protocols);
  ports = Object.assign({}, ...[OWN, ...groups].map((group) => group.ports));
}

/** Returns a version 2 refusal that belongs to no envelope. */
function dbsyncAnswer(sentence: string): string {
  const refused = { id: "", code: "malformed", sentence, clock: 0, effect: "not-applied" } as const;
  return writeFrame(writeRefused(refused), 2);
}

/** Returns the response to an HTTP request on a port that does not serve HTTP. The connection then closes. */
function httpAnswer(text: string): string {
  const body = `${text}\n`;
  return (
    "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nX-Content-Type-Options: nosniff\r\n" +
    `Connection: close\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`
  );
}

/**
 * Recognizes the client that begins a connection with `chunk` if the port does not serve it. Returns null if the port
 * may serve it, or if it is unknown.
 * @param here  the protocol of the port
 * @param also  further protocols that are accepted there
 */
export function foreignClient(
  chunk: Buffer,
  here: string,
  also: readonly string[] = [],
): ForeignClient | null {
  const head = chunk.toString("latin1", 0, EXAMINED_MAX);
  const found = protocols.find(({ begins }) => begins(head, chunk, here));
  if (found === undefined || found.protocol === here || also.includes(found.protocol)) return null;
  const { protocol, served, answer, isInterim } = found;
  const detail = `this port serves ${ports[here] ?? `--${here}`}, and this is ${served}`;
  return {
    protocol,
    detail,
    answer: answer?.(detail, chunk) ?? null,
    isInterim: isInterim?.(chunk) ?? false,
  };
}

/** The error that `node:http` emits as `clientError`. */
export interface NonHttpClient extends Error {
  readonly code?: string;
  /** The bytes that are not HTTP. */
  readonly rawPacket?: Buffer;
}

/** The status by `node:http`'s error codes. Any other code means that the request is malformed. */
const STATUS: Readonly<Record<string, string>> = {
  ERR_HTTP_REQUEST_TIMEOUT: "408 Request Timeout",
  HPE_HEADER_OVERFLOW: "431 Request Header Fields Too Large",
};

/** A client of another protocol. */
interface OtherClient {
  /** The answer in the client's protocol, or null if there is none. */
  readonly answer: string | null;
  /** Whether the client must send another message before the connection closes. */
  readonly isInterim: boolean;
}

/**
 * Refuses a client: sends an HTTP error, or an answer in the client's protocol if it is known, and closes the
 * connection.
 * @param foreign  the client of another protocol, or null if its protocol is unknown
 */
export function refuseNonHttpClient(
  { code = "" }: NonHttpClient,
  socket: Duplex,
  foreign: OtherClient | null,
): void {
  if (!socket.writable || code === "ECONNRESET") return void socket.destroy();
  if (foreign?.isInterim) return void socket.write(foreign.answer ?? "", "latin1");
  const answer =
    foreign?.answer ?? `HTTP/1.1 ${STATUS[code] ?? "400 Bad Request"}\r\nConnection: close\r\n\r\n`;
  socket.end(answer, "latin1", () => socket.destroy());
}
