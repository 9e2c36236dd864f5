/**
 * A chat server. It serves the page over HTTP and the chat over WebSocket, both on one port. Several servers can share
 * one Redis.
 */
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import { Redis } from "ioredis";
import { WebSocketServer } from "ws";
import { Seat } from "./chat-connection.js";
import { type History, MongoHistory, RedisHistory } from "./history.js";
import { PROTOCOL } from "./page-frames.js";
import { frames, words } from "./protocols.js";
import { Rooms } from "./rooms.js";
import { lookAlikes, Sessions } from "./sessions.js";
import type { ChatSettings } from "./settings.js";

/** The maximum size of a request's head in bytes, and the time in milliseconds within which it must arrive. */
const HEAD_BYTES = 8192;
const HEAD_MS = 10_000;
/** Matches the valid addresses of other servers. The security policy, an HTTP header, contains these addresses. */
const ADDRESS = /^wss?:\/\/[\w.:[\]-]+$/;
/** The maximum number of milliseconds between two attempts to connect to Redis. */
const REDIS_RETRY_MS = 1000;
/** The milliseconds between two attempts while Redis is starting and refuses writes. */
const LOADING_RETRY_MS = 100;

export class ChatServer {
  readonly #settings: ChatSettings;
  readonly #log: (line: string) => void;
  readonly #http: Server;
  readonly #webSockets: WebSocketServer;
  readonly #seats = new Set<Seat>();
  readonly #fromAddress = new Map<string, number>();
  #redis: Redis[] = [];
  #history: History | null = null;
  #sessions: Sessions | null = null;
  #rooms: Rooms | null = null;
  #signs: NodeJS.Timeout | null = null;
  #beats: NodeJS.Timeout | null = null;
  #isSendingHeartbeat = false;
  #renewedAt = performance.now();
  #address = "";

  constructor(settings: ChatSettings, log: (line: string) => void) {
    this.#settings = settings;
    this.#log = log;
    this.#webSockets = new WebSocketServer({
      noServer: true,
      maxPayload: settings.limits.FRAME_BYTES,
      perMessageDeflate: false,
      clientTracking: false,
      handleProtocols: (offered) => (offered.has(PROTOCOL) ? PROTOCOL : false),
    });
    const options = { maxHeaderSize: HEAD_BYTES, headersTimeout: HEAD_MS, requestTimeout: HEAD_MS };
    this.#http = createServer(options, (request, response) => {
      this.#servers().then(
        (servers) => pageAt(request, response, servers),
        () => response.writeHead(503).end(),
      );
    });
    this.#http.maxConnections = settings.limits.CONNECTIONS;
    this.#http.on("upgrade", (request, socket, head) => {
      socket.on("error", () => socket.destroy());
      this.#admit(request, socket, head).catch(() => refuse(socket, "503 Service Unavailable"));
    });
  }

  /** The address for clients. */
  get address(): string {
    return this.#address;
  }

  /** Starts the server. @throws Error  if the port is in use, or Redis or MongoDB does not answer */
  async start(): Promise<void> {
    const { host, port, limits, mongoUrls } = this.#settings;
    const [redis, subscriber] = [this.#connect(), this.#connect()];
    this.#redis = [redis, subscriber];
    await redis.ping();
    const sessions = new Sessions(redis, limits, lookAlikes(this.#log));
    const history =
      mongoUrls.length === 0 ? new RedisHistory(redis) : await MongoHistory.open(mongoUrls, limits.STORE_MS);
    this.#history = history;
    this.#sessions = sessions;
    this.#rooms = new Rooms({ redis, subscriber, sessions, history, limits, log: this.#log });
    this.#http.listen(port, host);
    await once(this.#http, "listening");
    const own = `ws://${host.includes(":") ? `[${host}]` : host}:${(this.#http.address() as AddressInfo).port}`;
    this.#address = this.#settings.address ?? own;
    await this.#announceWhenLoaded(sessions);
    this.#signs = setInterval(() => void this.#sendHeartbeat(), limits.SIGN_MS);
    this.#beats = setInterval(() => {
      for (const seat of this.#seats) seat.beat();
    }, limits.BEAT_MS);
  }

  /**
   * Registers this server. Repeats this while Redis, or a daemon that has just started, refuses writes.
   * @throws Error  after STORE_MS
   */
  async #announceWhenLoaded(sessions: Sessions): Promise<void> {
    const deadline = performance.now() + this.#settings.limits.STORE_MS;
    for (;;) {
      try {
        return await sessions.announce(this.#address);
      } catch (problem) {
        if (!String(problem).includes("LOADING") || performance.now() > deadline) throw problem;
        await delay(LOADING_RETRY_MS);
      }
    }
  }

  /** Stops the server. Its clients then connect to another server, and resume their sessions there. */
  async stop(): Promise<void> {
    clearInterval(this.#signs ?? undefined);
    clearInterval(this.#beats ?? undefined);
    await this.#sessions?.retract(this.#address).catch(() => {});
    this.#http.close();
    await Promise.all([...this.#seats].map((seat) => seat.leave()));
    this.#http.closeAllConnections();
    await this.#history?.close();
    for (const redis of this.#redis) redis.disconnect();
  }

  #connect(): Redis {
    const { redis: addresses, limits } = this.#settings;
    let tried = 0;
    const redis = new Redis({
      ...addresses[0],
      commandTimeout: limits.STORE_MS,
      connectTimeout: limits.STORE_MS,
      maxRetriesPerRequest: 3,
      // ioredis must not wait for a field of INFO that a daemon does not have. The daemon refuses commands until it
      // is ready.
      enableReadyCheck: false,
      retryStrategy: (attempts) => {
        Object.assign(redis.options, addresses[++tried % addresses.length]);
        return Math.min(attempts * 50, REDIS_RETRY_MS);
      },
    });
    // Logs each loss of the connection only once.
    let isConnected = true;
    redis.on("error", (problem) => {
      if (isConnected) this.#log(`Redis: ${problem.message}`);
      isConnected = false;
    });
    redis.on("ready", () => {
      isConnected = true;
    });
    return redis;
  }

  /** Returns the addresses of all servers with a recent heartbeat. */
  async #servers(): Promise<readonly string[]> {
    const known = (await this.#sessions?.servers()) ?? [];
    return [
      this.#address,
      ...known.filter((one) => one !== this.#address && ADDRESS.test(one) && URL.canParse(one)),
    ];
  }

  async #admit(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    const { limits, origins, host } = this.#settings;
    const [sessions, rooms, history] = [this.#sessions, this.#rooms, this.#history];
    if (sessions === null || rooms === null || history === null)
      return refuse(socket, "503 Service Unavailable");
    const remote = request.socket.remoteAddress ?? "";
    const { origin } = request.headers;
    // Only browsers send an origin. Refuse pages of other sites, which would connect from their visitors' addresses.
    if (origin !== undefined && !isOwnSite(origin, await this.#servers(), origins, host))
      return refuse(socket, "403 Forbidden");
    const count = this.#fromAddress.get(remote) ?? 0;
    if (count >= limits.CONNECTIONS_PER_ADDRESS) return refuse(socket, "429 Too Many Requests");
    if (socket.destroyed) return;
    this.#fromAddress.set(remote, count + 1);
    socket.once("close", () => {
      const left = (this.#fromAddress.get(remote) ?? 1) - 1;
      if (left === 0) this.#fromAddress.delete(remote);
      else this.#fromAddress.set(remote, left);
    });
    this.#webSockets.handleUpgrade(request, socket, head, (webSocket) => {
      const seat = new Seat({
        socket: webSocket,
        addr: [remote, request.socket.remotePort ?? 0],
        sessions,
        rooms,
        history,
        limits,
        dialect: webSocket.protocol === PROTOCOL ? frames : words,
        servers: () => this.#servers(),
        log: this.#log,
      });
      this.#seats.add(seat);
      webSocket.on("close", () => void seat.leave().then(() => this.#seats.delete(seat)));
      this.#watch(webSocket);
    });
  }

  /**
   * Closes connections that have not answered a ping before the next one. The operating system may not have detected
   * their loss.
   */
  #watch(webSocket: import("ws").WebSocket): void {
    let answered = true;
    webSocket.on("pong", () => {
      answered = true;
    });
    const timer = setInterval(() => {
      if (!answered) return webSocket.terminate();
      answered = false;
      webSocket.ping();
    }, this.#settings.limits.PING_MS);
    webSocket.on("close", () => clearInterval(timer));
  }

  async #sendHeartbeat(): Promise<void> {
    // The previous heartbeat may still be waiting for Redis.
    if (this.#isSendingHeartbeat) return;
    this.#isSendingHeartbeat = true;
    try {
      await this.#sessions?.announce(this.#address);
      const seated = [...this.#seats].flatMap(({ session }) => session ?? []);
      const { SESSION_SECONDS, SIGN_MS } = this.#settings.limits;
      const isLong = performance.now() - this.#renewedAt > (SESSION_SECONDS * 1000) / 3 - SIGN_MS;
      if (isLong) this.#renewedAt = performance.now();
      await this.#sessions?.renew(seated, isLong);
      await this.#rooms?.refreshAll();
    } catch (problem) {
      this.#log(`no heartbeat could be sent: ${(problem as Error).message}`);
    } finally {
      this.#isSendingHeartbeat = false;
    }
  }
}

function refuse(socket: Duplex, status: string): void {
  // Destroys the socket, since a client that does not close it would still use a connection.
  socket.once("finish", () => socket.destroy());
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
}

interface PageFile {
  readonly type: string;
  readonly bytes: Buffer;
}

/** The folder of the page in the sources, since these files are not compiled. */
const page = new URL("../../../examples/chat/page/", import.meta.url);
const compiled = new URL("./", import.meta.url);

const file = (folder: URL, name: string, type: string): PageFile => ({
  type: `${type}; charset=utf-8`,
  bytes: readFileSync(new URL(name, folder)),
});

const script = "text/javascript";
const FILES: Readonly<Record<string, PageFile>> = {
  "/": file(page, "index.html", "text/html"),
  "/page.css": file(page, "page.css", "text/css"),
  "/page.js": file(page, "page.js", script),
  "/timeline.js": file(page, "timeline.js", script),
  "/conversation.js": file(compiled, "conversation.js", script),
  "/page-frames.js": file(compiled, "page-frames.js", script),
};

/**
 * Sends a file of the page, with its security policy: the browser may load only these files, and connect only to the
 * chat servers.
 */
function pageAt(
  { method, url = "" }: IncomingMessage,
  response: ServerResponse,
  servers: readonly string[],
): void {
  const found = FILES[url.split("?")[0] as string];
  if (method !== "GET" && method !== "HEAD")
    return void response.writeHead(405, { allow: "GET, HEAD" }).end();
  if (found === undefined) return void response.writeHead(404).end();
  response.writeHead(200, {
    "content-type": found.type,
    "content-length": found.bytes.length,
    "cache-control": "no-cache",
    "content-security-policy": [
      "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:",
      `connect-src 'self' ${servers.join(" ")}`,
      "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ].join("; "),
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
  });
  response.end(method === "HEAD" ? undefined : found.bytes);
}

const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/;

/**
 * Returns whether a page belongs to one of the servers or to a configured site. For servers on this machine, all names
 * of the machine are equivalent.
 */
function isOwnSite(
  origin: string,
  servers: readonly string[],
  named: readonly string[],
  host: string,
): boolean {
  if (named.includes(origin)) return true;
  const site = partsOf(origin);
  if (site === null) return false;
  return servers.some((server) => {
    const own = partsOf(server);
    if (own === null || own.port !== site.port || own.isSecure !== site.isSecure) return false;
    const isHere = LOOPBACK.test(own.hostname) || own.hostname === "0.0.0.0" || LOOPBACK.test(host);
    return own.hostname === site.hostname || (isHere && LOOPBACK.test(site.hostname));
  });
}

function partsOf(address: string): { hostname: string; port: string; isSecure: boolean } | null {
  if (!URL.canParse(address)) return null;
  const { hostname, port, protocol } = new URL(address);
  const isSecure = protocol === "wss:" || protocol === "https:";
  return { hostname, port: port || (isSecure ? "443" : "80"), isSecure };
}
