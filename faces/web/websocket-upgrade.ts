/**
 * Admits clients, which switch from HTTP to WebSocket. Other requests, and pages from other origins, are refused with a
 * reason.
 */
import { createServer, type IncomingMessage, STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { WebSocketServer } from "ws";
import type { DaemonSocketHost } from "../../daemon/listener/daemon-listener.js";
import {
  foreignClient,
  type NonHttpClient,
  refuseNonHttpClient,
} from "../../daemon/net/connections/foreign-client.js";
import { isWelcome } from "./allowed-origins.js";
import { MessageSocket } from "./message-socket.js";

const NO_PAGES =
  "This port serves WebSocket (--ws) to pages that send commands. --admin serves the dashboard, /healthz and /metrics.\n";

/** The subprotocol that clients name if they speak only version 2. */
const PROTOCOL = "dbsync2";
/** Maximum length of a request's head in bytes; browsers send less. */
const HEAD_BYTES = 8 * 1024;
/** Maximum fragments of a message; browsers send few. */
const PIECES_MAX = 1024;
/** Maximum bytes of a frame before its payload. */
const FRAME_HEAD_BYTES = 16;

export class WebSocketUpgrade {
  readonly #address: string;
  readonly #origins: readonly string[];
  readonly #host: DaemonSocketHost;
  readonly #http = createServer({ maxHeaderSize: HEAD_BYTES });
  readonly #ws: WebSocketServer;
  /** The sockets that have not switched to WebSocket yet. */
  readonly #pending = new WeakMap<Duplex, MessageSocket>();

  /** @param address  the address on which the daemon listens */
  constructor(address: string, origins: readonly string[], host: DaemonSocketHost) {
    this.#address = address;
    this.#origins = origins;
    this.#host = host;
    this.#ws = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      autoPong: false,
      maxFragments: PIECES_MAX,
      handleProtocols: (offered) => offered.has(PROTOCOL) && PROTOCOL,
      // The package inflates in callbacks whose exceptions would end the process:
      // docs/decisions/0050-no-compression-for-browsers.md.
      perMessageDeflate: false,
    });
    this.#http.on("request", (_request, response) => {
      const type = { "content-type": "text/plain; charset=utf-8" };
      response.writeHead(426, { ...type, connection: "close", upgrade: "websocket" }).end(NO_PAGES);
    });
    this.#http.on("clientError", (problem: NonHttpClient, socket) => this.#refuse(problem, socket));
    this.#http.on("upgrade", (request, socket, head) => this.#upgrade(request, socket, head));
  }

  /** Accepts a client. @param raw  a socket that was just accepted */
  admit(raw: Socket): MessageSocket {
    this.#http.emit("connection", raw);
    const socket = new MessageSocket(raw);
    this.#pending.set(raw, socket);
    return socket;
  }

  #refuse(problem: NonHttpClient, raw: Duplex): void {
    const { rawPacket } = problem;
    const foreign = rawPacket === undefined ? null : foreignClient(rawPacket, "ws", ["http"]);
    refuseNonHttpClient(problem, raw, foreign);
    const socket = this.#pending.get(raw);
    if (foreign === null || socket === undefined) return;
    this.#note("malformed", socket, foreign.detail);
    this.#pending.delete(raw);
  }

  #upgrade(request: IncomingMessage, raw: Duplex, head: Buffer): void {
    const socket = this.#pending.get(raw);
    if (socket === undefined) return void raw.destroy();
    const { origin, host } = request.headers;
    if (!isWelcome({ origin, host }, this.#origins, this.#address)) {
      raw.end(`HTTP/1.1 403 ${STATUS_CODES[403]}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
      this.#note("wrong-origin", socket, origin ?? "");
      return;
    }
    this.#ws.options.maxPayload = this.#host.limits.maxRequestBytes + FRAME_HEAD_BYTES;
    this.#ws.handleUpgrade(request, raw, head, (messages) => socket.open(messages));
  }

  #note(
    reason: "malformed" | "wrong-origin",
    { remoteAddress, remotePort }: MessageSocket,
    detail: string,
  ): void {
    const { refusals, observer } = this.#host;
    refusals.note(reason, { remote: `${remoteAddress}:${remotePort}`, detail });
    observer.refused("ws", reason);
  }
}
