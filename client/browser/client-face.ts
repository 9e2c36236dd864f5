/** What a page sees of a client. */
import type { ChannelEvent, ChannelInput, KeyInput, ListenOptions, WatchEvent } from "../live/live-event.js";
import type { CommandInput } from "../shared/command.js";
import type { DbsyncError, Outcome } from "../shared/errors.js";
import type { Policy } from "../shared/policy.js";
import type { WebKey } from "./web-key.js";

export interface BrowserOptions extends BrowserCallOptions {
  /** The daemons' `--ws`: `wss://db1.example:1180`, several with commas between, or a list. */
  readonly servers: string | readonly string[];
  /** The name under which the key is kept, `dbsync` unless given; it is made at its first use. Or a key of `makeKey`. */
  readonly key?: string | WebKey | undefined;
  /** As the daemons print it at their start, 64 hexadecimal digits; else they are asked. */
  readonly cluster?: string | undefined;
  /** Told what became of each call that an earlier page had signed, and whose answer it did not live to see. */
  readonly recovered?: ((told: Recovered) => void) | undefined;
  /** Called, once for many, when `outbox`, `unkept` or `daemons` has changed. */
  readonly changed?: (() => void) | undefined;
  /** Who makes WebSockets; the browser, unless given. */
  readonly makeSocket?: unknown;
}

export interface BrowserCallOptions {
  /** Milliseconds until the call fails, and for which it waits where no daemon is reached: 1 to 20,000, which it is unless given. */
  readonly timeout?: number | undefined;
  /** Which answers make the result; `first`, the first good one, unless given. */
  readonly policy?: Policy | undefined;
  /** Number of the database; 0 unless given. */
  readonly db?: number | undefined;
  /** Applied only if each of these keys was last changed by that writer; else the result is null. */
  readonly if?:
    | readonly { readonly key: string; readonly writer: string | null; readonly db?: number | undefined }[]
    | undefined;
  /** The daemon waits until it holds this write, from `lastWrite`. */
  readonly after?: string | undefined;
  /** Only the daemon with this id takes it. */
  readonly only?: string | undefined;
  /** The answer comes once nothing can come before it any more. */
  readonly stable?: boolean | undefined;
  /** The answer comes once so many daemons have it on their disks. */
  readonly replicated?: number | undefined;
  /** Of `call` and `multi`: strings of the reply as bytes. */
  readonly buffers?: boolean | undefined;
}

export type BrowserReply = string | number | bigint | null | Uint8Array | DbsyncError | BrowserReply[];

/** A call that no daemon has answered. */
export interface Waiting {
  /** As it was given. */
  readonly command: CommandInput | readonly CommandInput[];
  /** Milliseconds since 1970. */
  readonly since: number;
  /** When it fails, if no daemon has answered until then. */
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
  /** As in `servers`. */
  readonly address: string;
  readonly state: "connecting" | "greeting" | "speaking" | "closed";
}

export interface BrowserClient {
  /** Sends a command to every daemon; the value as text, or null for nil. */
  send(command: CommandInput, options?: BrowserCallOptions): Promise<string | null>;
  /** As `send`, with the reply as it is. */
  call(command: CommandInput, options?: BrowserCallOptions): Promise<BrowserReply>;
  /** Commands that are applied together, with no other between them. */
  multi(commands: readonly CommandInput[], options?: BrowserCallOptions): Promise<BrowserReply[] | null>;
  /** Resolves when each daemon has answered or failed. */
  sendAll(command: CommandInput, options?: BrowserCallOptions): Promise<{ outcomes: Outcome[] }>;
  /** What is said on a channel, or on all that match a pattern. */
  subscribe(channel: ChannelInput, options?: ListenOptions): AsyncIterableIterator<ChannelEvent>;
  /** What becomes of a key, or of all that begin so. */
  watch(key: KeyInput, options?: ListenOptions): AsyncIterableIterator<WatchEvent>;
  /** What an administrator gives to `dbsync keys add`. */
  publicKeyPem(): Promise<string>;
  /** The newest write of this client that a daemon has answered, for `after`; null: none. */
  readonly lastWrite: string | null;
  /** Calls on their way, in the order in which they were made. */
  readonly outbox: readonly Waiting[];
  /** Why what is signed does not outlive the page; null: it does. */
  readonly unkept: string | null;
  readonly daemons: readonly BrowserDaemon[];
  /** Calls on their way fail with `closed`. */
  close(): void;
}
