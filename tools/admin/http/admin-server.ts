/**
 * The small web server of --admin: /healthz for load balancers and supervisors, /metrics for Prometheus, and a site
 * for browsers. It answers each request from memory, changes nothing, and serves no secrets.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { type AddressInfo, isIP, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { Logger } from "pino";
import { type NonHttpClient, refuseNonHttpClient } from "../../../daemon/net/connections/foreign-client.js";
import {
  formatHostAndPort,
  isLoopback,
  type ListenAddress,
} from "../../../daemon/net/process/host-and-port.js";
import { LogThrottle } from "../../../daemon/net/process/log-throttle.js";
import { type Service, StartError } from "../../../daemon/net/process/service.js";
import type { Exposition } from "./exposition.js";

/**
 * The maximum number of connections: enough for two scrapers, a health check and a few browsers. Above it, idle
 * connections are closed.
 */
const MAX_CONNECTIONS = 64;
/** The maximum number of characters of a wrong host name that an error repeats. */
const NAME_CHARS = 100;
/** The maximum size of a request's head. */
const MAX_HEADER_BYTES = 8 * 1024;
/** The timeout for a complete request, and for an idle connection. */
const REQUEST_MS = 5000;
/** The interval at which these timeouts are checked. */
const CHECK_MS = 1000;
/** The period in which all clients of one wrong protocol together cause only one log line. */
const REFUSED_LOG_MS = 10_000;

/** A complete response. */
interface Page {
  readonly status: number;
  readonly type: string;
  readonly body: string | Buffer;
  readonly headers?: Readonly<Record<string, string>>;
}

const METHODS = ["GET", "HEAD"];
const TEXT = "text/plain; charset=utf-8";

export interface HealthReport {
  /** Whether load balancers should send clients to this server. */
  readonly isHealthy: boolean;
  /** Further fields of the response, without secrets. */
  readonly details: object;
}

export interface AdminServerParts {
  readonly listenAddress: ListenAddress;
  /** The accepted host names in lower case, in addition to addresses and localhost. */
  readonly hosts: readonly string[];
  readonly health: () => HealthReport;
  readonly exposition: Exposition;
  /** The site for browsers, if there is one. */
  readonly site?: Site;
  readonly log: Logger;
  /** Recognizes a client that does not speak HTTP by its first bytes. Returns null for an unknown client. */
  readonly foreignClient?: (chunk: Buffer) => WrongClient | null;
}

interface WrongClient {
  readonly protocol: string;
  readonly detail: string;
  readonly answer: string | null;
  readonly isInterim: boolean;
}

export class AdminServer implements Service {
  readonly #parts: AdminServerParts;
  readonly #server: Server;
  readonly #throttle: LogThrottle;

  constructor(parts: AdminServerParts) {
    this.#parts = parts;
    const { log } = parts;
    this.#throttle = new LogThrottle({ log, uptime: () => performance.now(), periodMs: REFUSED_LOG_MS });

    this.#server = createServer(
      {
        maxHeaderSize: MAX_HEADER_BYTES,
        headersTimeout: REQUEST_MS,
        requestTimeout: REQUEST_MS,
        keepAliveTimeout: REQUEST_MS,
        connectionsCheckingInterval: CHECK_MS,
      },
      (request, response) => this.#serve(request, response),
    );
    limitAdminConnections(this.#server, MAX_CONNECTIONS);
    this.#server.on("clientError", (problem: NonHttpClient, socket) => this.#refuse(problem, socket));
    // There is no listener for `timeout`, so Node destroys the socket, even if the client does not read its response.
    this.#server.setTimeout(REQUEST_MS);
  }

  /** The address on which the server listens. */
  get address(): AddressInfo {
    return this.#server.address() as AddressInfo;
  }

  async start(): Promise<void> {
    const { listenAddress, log } = this.#parts;
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", (reason) => reject(listenError(reason, listenAddress)));
      this.#server.listen({ host: listenAddress.address, port: listenAddress.port }, resolve);
    });

    this.#server.removeAllListeners("error");
    this.#parts.site?.start();
    this.#server.on("error", (reason) =>
      log.error({ reason: reason.message }, "could not accept a connection for --admin"),
    );

    const { address, port } = this.address;
    log.info({ address, port }, "serving /healthz and /metrics");
    if (isLoopback(address) === true) return;
    log.warn(
      { address },
      "--admin can be reached from other machines; such clients can read metrics, but no keys and no data",
    );
  }

  async stop(): Promise<void> {
    if (!this.#server.listening) return;
    this.#parts.site?.stop();
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeAllConnections();
    await closed;
  }

  #refuse(problem: NonHttpClient, socket: Duplex): void {
    const { rawPacket } = problem;
    const foreign = rawPacket === undefined ? null : (this.#parts.foreignClient?.(rawPacket) ?? null);
    refuseNonHttpClient(problem, socket, foreign);
    if (foreign === null) return;
    const { protocol, detail } = foreign;
    this.#throttle.warn(protocol, { detail }, "A client that does not speak HTTP connected to --admin.");
  }

  /** Serves a request. An error ends only the connection of the request. */
  #serve(request: IncomingMessage, response: ServerResponse): void {
    for (const stream of [request, response])
      stream.on("error", (problem) =>
        this.#parts.log.debug({ err: problem }, "a client of --admin disconnected"),
      );
    try {
      const page = this.#madePage(request, response);
      if (page !== null) this.#send(page, response);
    } catch (problem) {
      this.#parts.log.error({ err: problem }, "a page of --admin could not be sent");
      response.destroy();
    }
  }

  #send(page: Page, response: ServerResponse): void {
    const { status, type, body, headers = {} } = page;
    response.statusCode = status;
    response.setHeader("Content-Type", type);
    response.setHeader("Content-Length", Buffer.byteLength(body));
    response.setHeader("Cache-Control", "no-store");
    response.setHeader("X-Content-Type-Options", "nosniff");
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
    if (status === 405) response.setHeader("Allow", METHODS.join(", "));
    response.end(body);
  }

  /** Returns the page for a request, or null if the request has been answered. */
  #madePage(request: IncomingMessage, response: ServerResponse): Page | null {
    try {
      return this.#page(request, response);
    } catch (problem) {
      this.#parts.log.error({ err: problem }, "a page of --admin could not be created");
      // The status of a response that has begun cannot be changed.
      if (response.headersSent) {
        response.destroy();
        return null;
      }
      return { status: 500, type: TEXT, body: "The page could not be created. The log says why.\n" };
    }
  }

  #page(request: IncomingMessage, response: ServerResponse): Page | null {
    const { method = "", url = "", headers } = request;
    const { host } = headers;
    if (!isOurHost(host, this.#parts.hosts)) return { status: 421, type: TEXT, body: misdirected(host) };

    const path = url.split("?", 1)[0] ?? "";
    const { site } = this.#parts;
    const page = site?.page(path, host) ?? null;
    const isKnown = path === "/healthz" || path === "/metrics" || page !== null || path === site?.eventsPath;
    if (!isKnown) {
      const here = site === undefined ? "/healthz and /metrics" : `${site.name}, /healthz and /metrics`;
      return { status: 404, type: TEXT, body: `Not found. Available are ${here}.\n` };
    }

    if (!METHODS.includes(method)) return { status: 405, type: TEXT, body: "Use GET.\n" };
    if (path === "/healthz") return this.#healthPage();
    if (path === "/metrics") return this.#metricsPage();

    const isOwn = page === null || page.isOwn === true;
    if (isOwn && (headers["sec-fetch-site"] ?? "same-origin") !== "same-origin")
      return { status: 403, type: TEXT, body: "Only pages of this address may read this.\n" };
    if (page !== null) return { status: 200, ...page };
    return this.#listen(request, response);
  }

  #listen({ method }: IncomingMessage, response: ServerResponse): Page | null {
    if (method === "HEAD") return { status: 200, type: "text/event-stream", body: "" };
    this.#parts.site?.listen(response);
    return null;
  }

  #healthPage(): Page {
    const { isHealthy, details } = this.#parts.health();
    const body = { status: isHealthy ? "ok" : "not ready", ...details };
    return { status: isHealthy ? 200 : 503, type: "application/json", body: `${JSON.stringify(body)}\n` };
  }

  #metricsPage(): Page {
    const { exposition } = this.#parts;
    return { status: 200, type: exposition.contentType, body: exposition.text() };
  }
}

function misdirected(host = ""): string {
  const name = JSON.stringify(host.slice(0, NAME_CHARS));
  return `This server does not accept the host name ${name}. Use its address, or start it with --admin-host and that name.\n`;
}

function listenError(reason: NodeJS.ErrnoException, listenAddress: ListenAddress): StartError {
  const problem =
    reason.code === "EADDRINUSE" ? "another program listens there" : `cannot listen there (${reason.code})`;
  return new StartError(
    `--admin ${formatHostAndPort(listenAddress)}: ${problem}. Choose another port or address.`,
    1,
  );
}

/**
 * Limits the connections of --admin. Above the limit, idle connections are closed, so that a client that opens many
 * connections does not block health checks. Limits the connections of a server.
 * @param max the maximum number of simultaneous connections
 */
function limitAdminConnections(server: Server, max: number): void {
  /** All connections; the one that has been silent longest is first. */
  const all = new Set<Socket>();
  /** The connections with a request in progress. */
  const busy = new Set<Socket>();

  server.on("connection", (socket: Socket) => {
    if (all.size >= max) (firstWithout(all, busy) ?? firstOf(all))?.destroy();
    all.add(socket);
    socket.once("close", () => {
      all.delete(socket);
      busy.delete(socket);
    });
  });

  server.on("request", ({ socket }, response) => {
    all.delete(socket);
    all.add(socket);
    busy.add(socket);
    response.once("close", () => busy.delete(socket));
  });
}

function firstWithout(all: ReadonlySet<Socket>, excluded: ReadonlySet<Socket>): Socket | undefined {
  for (const one of all) if (!excluded.has(one)) return one;
  return undefined;
}

function firstOf([first]: Iterable<Socket>): Socket | undefined {
  return first;
}

/** The site that --admin may serve in addition to /healthz and /metrics: static pages, and a stream of events. */
export interface SitePage {
  readonly type: string;
  readonly body: string | Buffer;
  readonly headers?: Readonly<Record<string, string>>;
  /** Whether only the daemon's own pages may read this page, and not pages of other sites. */
  readonly isOwn?: boolean;
}

export interface Site {
  /** The name of the site on a 404 page. */
  readonly name: string;
  /** Returns a page, or null if there is none. @param host  the daemon's name in the request, or undefined if absent */
  page(path: string, host: string | undefined): SitePage | null;
  /** The path of the stream of events. */
  readonly eventsPath: string;
  /** Adds a listener to the stream of events. Its response does not end. */
  listen(response: ServerResponse): void;
  start(): void;
  stop(): void;
}

const HOST = /^(?:\[([^\]]*)\]|([^:]*))(?::\d{1,5})?$/;

/**
 * Whether a request names this daemon's host. A page from another site can make its own name resolve to the daemon's
 * address (DNS rebinding), and could then read the daemon's answers. The browser still sends the name of the page's
 * site, so the daemon refuses unknown names. Addresses and localhost cannot be used for this attack.
 * @param header  the header `Host`, or undefined if the client did not send it; browsers always do
 */
function isOurHost(header: string | undefined, names: readonly string[]): boolean {
  if (header === undefined) return true;
  const [, address, name = ""] = HOST.exec(header.trim()) ?? [];
  if (address !== undefined) return isIP(address) === 6;
  const host = name.toLowerCase().replace(/\.$/, "");
  return isIP(host) === 4 || host === "localhost" || names.includes(host);
}

/**
 * Returns the host name of a `Host` header, without the port, or "" if it cannot be used in a Content-Security-Policy.
 */
export function hostnameOf(header: string | undefined): string {
  const name = HOST.exec(header?.trim() ?? "")?.[2] ?? "";
  return /^[\w.-]+$/.test(name) ? name.toLowerCase() : "";
}
