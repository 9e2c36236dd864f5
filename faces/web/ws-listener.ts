/**
 * The listener for browsers and other WebSocket clients. It admits clients, whose page it checks, and exchanges the
 * frames of version 2 as binary messages.
 */
import { createServer, type IncomingMessage, STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { WebSocketServer } from "ws";
import {
  DaemonListener,
  type DaemonListenerParts,
  type DaemonSocketHost,
} from "../../daemon/listener/daemon-listener.js";
import { DbsyncDialect } from "../../daemon/listener/dbsync-dialect.js";
import { DbsyncServer, type DbsyncService } from "../../daemon/listener/dbsync-server.js";
import { ClientConnection } from "../../daemon/net/connections/client-connection.js";
import { type CloseAnswer, closing } from "../../daemon/net/connections/dialect.js";
import {
  foreignClient,
  type NonHttpClient,
  refuseNonHttpClient,
} from "../../daemon/net/connections/foreign-client.js";
import { isLoopback, type ListenAddress } from "../../daemon/net/process/host-and-port.js";
import { MessageSocket } from "./message-socket.js";

/** The settings of --ws. */
export interface WsSettings {
  readonly ws: ListenAddress;
  readonly wsOrigins: readonly string[];
}

export class WsListener extends DaemonListener {
  constructor(
    parts: Omit<DaemonListenerParts, "name" | "options" | "fullText" | "connector" | "address" | "port">,
    service: DbsyncService,
    settings: WsSettings,
  ) {
    const { address } = settings.ws;
    // Version 1 is signed differently, and members have their own port.
    const own = { ...service, closeAfterAnswer: false, acceptsVersion1: false, members: null };
    super({
      ...parts,
      ...settings.ws,
      name: "ws",
      options: { address: "--ws", port: "--ws" },
      fullText: "",
      connector(host) {
        const server = new DbsyncServer(host, own, 2);
        const heartbeats = new Heartbeats(host);
        const doorway = new WebSocketUpgrade(address, settings.wsOrigins, host);
        return (raw) => {
          const socket = doorway.admit(raw);
          heartbeats.begin(socket);
          return new ClientConnection<Buffer>(
            socket,
            host,
            (connection) => new WsDialect(server, connection, socket),
          );
        };
      },
    });
  }
}

/**
 * The pings to clients, so that lost ones are detected and proxies do not close idle connections. Browsers send no
 * pings themselves. A client that does not reply counts as silent, and is disconnected for that reason.
 */
class Heartbeats {
  readonly #host: DaemonSocketHost;
  readonly #sockets = new Set<MessageSocket>();
  #stop: (() => void) | null = null;

  constructor(host: DaemonSocketHost) {
    this.#host = host;
  }

  /** Pings the client until its socket closes. */
  begin(socket: MessageSocket): void {
    this.#sockets.add(socket);
    socket.once("close", () => {
      this.#sockets.delete(socket);
      if (this.#sockets.size > 0) return;
      this.#stop?.();
      this.#stop = null;
    });
    this.#stop ??= this.#plan();
  }

  #plan(): () => void {
    const { environment, limits } = this.#host;
    return environment.setTimer(limits.wsPing, () => {
      for (const socket of this.#sockets) socket.ping();
      this.#stop = this.#plan();
    });
  }
}

/**
 * The dialect of version 2 in WebSocket messages, with the same bytes as on TCP. The package `ws` may buffer bytes of
 * an incomplete message.
 */
class WsDialect extends DbsyncDialect {
  readonly #socket: MessageSocket;
  #wasMidMessage = false;

  constructor(server: DbsyncServer, connection: ClientConnection<Buffer>, socket: MessageSocket) {
    super(server, connection);
    this.#socket = socket;
  }

  /** Returns null, because the client has already switched from HTTP to WebSocket. */
  override foreignClient(): null {
    return null;
  }

  override get heldBytes(): number {
    return super.heldBytes + this.#socket.unfinishedBytes;
  }

  override get isMidRequest(): boolean {
    return super.isMidRequest || this.#socket.isMidMessage;
  }

  override push(chunk: Buffer): boolean {
    if (chunk.length > 0) return super.push(chunk);
    const socket = this.#socket;
    if (socket.failure !== undefined) throw socket.failure;
    const isNew = socket.isMidMessage && !this.#wasMidMessage && !super.isMidRequest;
    this.#wasMidMessage = socket.isMidMessage;
    // A pong keeps the connection open only if the client has proved its right to send commands.
    const isAlive = socket.hasPonged && this.isProven;
    socket.hasPonged = false;
    return isNew || isAlive;
  }

  override problem(isEnded: boolean): CloseAnswer | null {
    const { fault } = this.#socket;
    return fault === null ? super.problem(isEnded) : closing("malformed", fault);
  }
}

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

/**
 * The admission of clients, which switch from HTTP to WebSocket. Other requests, and pages from other origins, are
 * refused with a reason.
 */
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
    this.#noteRefusal("malformed", socket, foreign.detail);
    this.#pending.delete(raw);
  }

  #upgrade(request: IncomingMessage, raw: Duplex, head: Buffer): void {
    const socket = this.#pending.get(raw);
    if (socket === undefined) return void raw.destroy();
    const { origin, host } = request.headers;
    if (!isWelcome({ origin, host }, this.#origins, this.#address)) {
      raw.end(`HTTP/1.1 403 ${STATUS_CODES[403]}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
      this.#noteRefusal("wrong-origin", socket, origin ?? "");
      return;
    }
    this.#ws.options.maxPayload = this.#host.limits.maxRequestBytes + FRAME_HEAD_BYTES;
    this.#ws.handleUpgrade(request, raw, head, (messages) => socket.open(messages));
  }

  #noteRefusal(
    reason: "malformed" | "wrong-origin",
    { remoteAddress, remotePort }: MessageSocket,
    detail: string,
  ): void {
    const { refusals, observer } = this.#host;
    refusals.logRefusal(reason, { remote: `${remoteAddress}:${remotePort}`, detail });
    observer.refused("ws", reason);
  }
}

/** The headers of a request that show which page opens the WebSocket. */
interface WebSocketRequest {
  /** The page's site; absent if the client is not a browser. */
  readonly origin: string | undefined;
  /** The daemon's name in the client's request. */
  readonly host: string | undefined;
}

/**
 * Whether a page may connect. A browser allows any page of any site to open a WebSocket to any address, including this
 * machine, and reports the page's site in `Origin`. Other programs send any origin, or none. A client without a key
 * cannot do anything here. This check prevents pages that are not named from opening connections, from detecting the
 * daemon, and from reading its clock.
 * @param named    the origins of --ws-origin
 * @param address  the address on which the daemon listens; on loopback, pages of this machine need not be named
 */
export function isWelcome(
  { origin, host }: WebSocketRequest,
  named: readonly string[],
  address: string,
): boolean {
  if (origin === undefined || named.includes(origin.toLowerCase())) return true;
  if (named.length > 0 || isLoopback(address) !== true) return false;
  // A site can make its own name resolve to our address (DNS rebinding), but origin and host still contain that name.
  return /^https?:\/\//.test(origin) && isOfThisMachine(origin) && isOfThisMachine(`http://${host ?? ""}`);
}

function isOfThisMachine(url: string): boolean {
  const { hostname } = URL.parse(url) ?? {};
  return hostname !== undefined && isLoopback(hostname.replace(/^\[(.*)\]$/, "$1")) === true;
}
