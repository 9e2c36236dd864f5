/** The public types of a client in a page. */
import type { ChannelEvent, ChannelInput, KeyInput, ListenOptions, WatchEvent } from "../live/live-event.js";
import type { CommandInput } from "../shared/command.js";
import type { DbsyncError, Outcome } from "../shared/errors.js";
import type { Policy } from "../shared/policy.js";
import type { WebKey } from "./web-key.js";

export interface BrowserOptions extends BrowserCallOptions {
  /** The daemons' `--ws`: `wss://db1.example:1180`, several with commas between, or a list. */
  readonly servers: string | readonly string[];
  /** The name under which the key is stored, which is made at its first use, default `dbsync`; or a key of `makeKey`. */
  readonly key?: string | WebKey | undefined;
  /** The cluster, 64 hexadecimal digits, as the daemons print it when they start. Default: the daemons are asked. */
  readonly cluster?: string | undefined;
  /** Called with the end of each call that an earlier page had signed and whose answer it did not receive. */
  readonly recovered?: ((end: Recovered) => void) | undefined;
  /** Called, once for many, when `outbox`, `unkept` or `daemons` has changed. */
  readonly changed?: (() => void) | undefined;
  /** Makes WebSockets; default: the browser's. */
  readonly makeSocket?: unknown;
}

export interface BrowserCallOptions {
  /** Milliseconds until the call fails, also if no daemon is reached: 1 to 20,000, which is the default. */
  readonly timeout?: number | undefined;
  /** Selects the answers that make the result; default `first`, the first successful one. */
  readonly policy?: Policy | undefined;
  /** `traceparent` of W3C Trace Context, which the daemons' slow logs show. */
  readonly traceparent?: string | undefined;
  /** Number of the database; default 0. */
  readonly db?: number | undefined;
  /** Applied only if each of these keys was last changed by that writer; otherwise the result is null. */
  readonly if?:
    | readonly { readonly key: string; readonly writer: string | null; readonly db?: number | undefined }[]
    | undefined;
  /** The daemon waits until it holds this write, from `lastWrite`. */
  readonly after?: string | undefined;
  /** Id of the only daemon that accepts the call. */
  readonly only?: string | undefined;
  /** The answer comes when no write with an earlier position can still arrive. */
  readonly stable?: boolean | undefined;
  /** The number of daemons that must have the write on their disks before the answer. */
  readonly replicated?: number | undefined;
  /** Whether `call` and `multi` return strings of the reply as bytes. */
  readonly buffers?: boolean | undefined;
}

export type BrowserReply = string | number | bigint | null | Uint8Array | DbsyncError | BrowserReply[];

/** A call that no daemon has answered. */
export interface Waiting {
  /** The command, or the list of `multi`. */
  readonly command: CommandInput | readonly CommandInput[];
  /** Milliseconds since 1970. */
  readonly since: number;
  /** The time at which it fails without an answer. */
  readonly until: number;
  /** Whether an earlier page has made it. */
  readonly isRecovered: boolean;
}

/** The end of a call that an earlier page has made. */
export interface Recovered extends Omit<Waiting, "isRecovered"> {
  /** The reply; null also for nil. */
  readonly value: BrowserReply;
  /** null: there is a reply. */
  readonly error: DbsyncError | null;
}

export interface BrowserDaemon {
  /** The address, as in `servers`. */
  readonly address: string;
  readonly state: "connecting" | "greeting" | "speaking" | "closed";
}

export interface BrowserClient {
  /** Sends a command to every daemon; the value as text, or null for nil. */
  send(command: CommandInput, options?: BrowserCallOptions): Promise<string | null>;
  /** Sends a command and resolves with its reply, typed. */
  call(command: CommandInput, options?: BrowserCallOptions): Promise<BrowserReply>;
  /** Commands that are applied together, with no other between them. */
  multi(commands: readonly CommandInput[], options?: BrowserCallOptions): Promise<BrowserReply[] | null>;
  /** Resolves when each daemon has answered or failed. */
  sendAll(command: CommandInput, options?: BrowserCallOptions): Promise<{ outcomes: Outcome[] }>;
  /** Iterates over the messages on a channel, or on all that match a pattern. */
  subscribe(channel: ChannelInput, options?: ListenOptions): AsyncIterableIterator<ChannelEvent>;
  /** Iterates over the changes of a key, or of all keys with a prefix. */
  watch(key: KeyInput, options?: ListenOptions): AsyncIterableIterator<WatchEvent>;
  /** Returns the public key, as `dbsync keys add` accepts it. */
  publicKeyPem(): Promise<string>;
  /** The newest write of this client that a daemon has answered, for `after`; null: none. */
  readonly lastWrite: string | null;
  /** The unanswered calls, in the order in which they were made. */
  readonly outbox: readonly Waiting[];
  /** The reason why signed calls do not outlive the page; null: they do. */
  readonly unkept: string | null;
  readonly daemons: readonly BrowserDaemon[];
  /** Closes the client; unanswered calls fail with `closed`. */
  close(): void;
}
