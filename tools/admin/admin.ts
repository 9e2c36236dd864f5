/** Creates the server of --admin. The daemon loads this module only with --admin. */

import { existsSync, readFileSync } from "node:fs";
import type { ServerResponse } from "node:http";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import type { Logger } from "pino";
import { foreignClient } from "../../daemon/net/connections/foreign-client.js";
import type { ListenAddress } from "../../daemon/net/process/host-and-port.js";
import type { Face } from "../../daemon/program/face.js";
import { isHealthy } from "../../daemon/program/inspection/inspected-daemon.js";
import { type FrameSources, Frames } from "./dashboard-frames.js";
import { AdminServer, hostnameOf, type Site, type SitePage } from "./http/admin-server.js";
import { EventStream } from "./http/event-stream.js";
import { makeExposition } from "./http/exposition.js";
import { loadMetrics } from "./metric-table.js";

/** Creates the server, without starting it. @param faces  their metrics are shown with the daemon's */
export async function makeAdmin(
  listenAddress: ListenAddress,
  hosts: readonly string[],
  sources: FrameSources,
  faces: readonly Face[],
  log: Logger,
): Promise<AdminServer> {
  const health = () => {
    const details = sources.health();
    return { isHealthy: isHealthy(details), details };
  };
  const site = new DashboardSite(new Frames(sources), (problem) =>
    log.error({ err: problem }, "an event of --admin could not be created"),
  );
  const exposition = makeExposition(await loadMetrics(faces), sources);
  const foreign = (chunk: Buffer) => foreignClient(chunk, "http");
  return new AdminServer({ listenAddress, hosts, log, health, exposition, site, foreignClient: foreign });
}

/** The files by path: the location in the build, and the media type. */
const FILES: Readonly<Record<string, readonly [file: string, type: string]>> = {
  "/": ["dashboard/index.html", "text/html; charset=utf-8"],
  "/dashboard.css": ["dashboard/dashboard.css", "text/css; charset=utf-8"],
  "/dashboard.js": ["dashboard/dashboard.js", "text/javascript; charset=utf-8"],
  "/icon.svg": ["dashboard/icon.svg", "image/svg+xml"],
  "/icon-warn.svg": ["dashboard/icon-warn.svg", "image/svg+xml"],
  "/icon-bad.svg": ["dashboard/icon-bad.svg", "image/svg+xml"],
  // The client library, with which the page signs commands.
  "/dbsync.js": ["browser/dbsync.js", "text/javascript; charset=utf-8"],
};

/** The modules that `/dbsync.js` loads on demand; their names end with a hash. */
const LAZY_MODULE = /^\/dbsync-\w+-\w+\.js$/;

/** The path of the figures of the last hour. */
const HISTORY_PATH = "/history";

/**
 * The page of --admin: its files, which contain no data of this daemon, and the events that an open page receives. The
 * headers restrict the page to its own scripts and styles and to connections to this daemon and its --ws. They forbid
 * inserted HTML and frames.
 */
class DashboardSite implements Site {
  readonly name = "/ (the dashboard)";
  readonly eventsPath = "/events";
  readonly #stream: EventStream;
  readonly #frames: Frames;
  /** The contents of files that were already requested. */
  readonly #files = new Map<string, Buffer>();

  /** @param failed  receives the error if an event could not be created */
  constructor(frames: Frames, failed: (problem: Error) => void) {
    this.#stream = new EventStream(frames, failed);
    this.#frames = frames;
  }

  start(): void {
    this.#frames.start();
  }

  page(path: string, host: string | undefined): SitePage | null {
    if (path === HISTORY_PATH)
      return {
        type: "application/json",
        body: this.#frames.history,
        headers: this.#headers(""),
        isOwn: true,
      };

    const row = Object.hasOwn(FILES, path) ? FILES[path] : lazyModule(path);
    if (row === undefined) return null;
    const [file, type] = row;

    let body = this.#files.get(path);
    if (body === undefined) {
      body = readFileSync(join(builtFolder(), file));
      this.#files.set(path, body);
    }
    return { type, body, headers: this.#headers(hostnameOf(host)) };
  }

  listen(response: ServerResponse): void {
    this.#stream.add(response);
  }

  stop(): void {
    this.#stream.stop();
    this.#frames.stop();
  }

  #headers(host: string): Record<string, string> {
    const { ws } = this.#frames;
    const wsOrigin = ws === null || host === "" ? "" : ` ${ws.isSecure ? "wss" : "ws"}://${host}:${ws.port}`;
    return {
      "Content-Security-Policy":
        `default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'${wsOrigin}; ` +
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; " +
        "trusted-types 'none'",
      "Referrer-Policy": "no-referrer",
      "Cross-Origin-Opener-Policy": "same-origin",
      "Cross-Origin-Resource-Policy": "same-origin",
      "X-Frame-Options": "DENY",
    };
  }
}

/** Returns the file and the type of a module that is loaded on demand, or undefined if there is none. */
function lazyModule(path: string): (typeof FILES)[string] | undefined {
  const exists = LAZY_MODULE.test(path) && existsSync(join(builtFolder(), "browser", path));
  return exists ? [`browser${path}`, "text/javascript; charset=utf-8"] : undefined;
}

/** Returns the path of the package's folder `dist`. */
function builtFolder(): string {
  return join(dirname(createRequire(import.meta.url).resolve("dbsyncd/package.json")), "dist");
}
