/** The site that --admin may serve in addition to /healthz and /metrics: static pages, and a stream of events. */
import type { ServerResponse } from "node:http";

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
