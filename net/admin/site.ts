/** What --admin may serve in addition to /healthz and /metrics: pages that do not change, and one that receives events. */
import type { ServerResponse } from "node:http";

export interface SitePage {
  readonly type: string;
  readonly body: string | Buffer;
  readonly headers?: Readonly<Record<string, string>>;
  /** Whether only pages of this address may read it. */
  readonly isOwn?: boolean;
}

export interface Site {
  /** How a 404 page names the site. */
  readonly name: string;
  /** null: there is none. @param host  as the browser names us; undefined: it does not */
  page(path: string, host: string | undefined): SitePage | null;
  /** The path of the stream of events. */
  readonly eventsPath: string;
  /** Takes a listener, whose answer does not end. */
  listen(response: ServerResponse): void;
  start(): void;
  stop(): void;
}
