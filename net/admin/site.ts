/** What --admin may serve beside /healthz and /metrics: pages that do not change, and one that is told what happens. */
import type { ServerResponse } from "node:http";

export interface SitePage {
  readonly type: string;
  readonly body: string | Buffer;
  readonly headers?: Readonly<Record<string, string>>;
  /** Whether only pages of this address may read it. */
  readonly isOwn?: boolean;
}

export interface Site {
  /** What is told of it to those who ask for something else. */
  readonly name: string;
  /** null: there is none. @param host  as the browser names us; undefined: it does not */
  page(path: string, host: string | undefined): SitePage | null;
  /** Where events are told. */
  readonly eventsPath: string;
  /** Takes a listener, whose answer does not end. */
  listen(response: ServerResponse): void;
  start(): void;
  stop(): void;
}
