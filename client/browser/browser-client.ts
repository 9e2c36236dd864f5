/** The public types of the client for web pages. */
import type { ChannelEvent, ChannelInput, KeyInput, ListenOptions, WatchEvent } from "../live/live-events.js";
import type { CommandInput } from "../shared/command-input.js";
import type { DbsyncError, Outcome } from "../shared/errors.js";
import type { Policy } from "../shared/policy.js";
import type { WebKey } from "./web-key.js";

export interface BrowserOptions extends BrowserCallOptions {
  /** The daemons' `--ws` addresses: `wss://db1.example:1180`, several separated by commas, or a list. */
  readonly servers: string | readonly string[];
  /**
   * The name under which the key is stored, default `dbsync`, or a key from `makeKey`. A stored key is generated at its
   * first use.
   */
  readonly key?: string | WebKey | undefined;
  /**
   * The cluster, 64 hexadecimal digits, as the daemons print it when they start. By default the client queries the
   * daemons.
   */
  readonly cluster?: string | undefined;
  /** Called with the result of each call that an earlier page had signed and that no daemon had answered. */
  readonly recovered?: ((end: Recovered) => void) | undefined;
  /** Called when `outbox`, `unkept` or `daemons` has changed, once for several changes. */
  readonly changed?: (() => void) | undefined;
  /** Opens WebSockets; default: the browser's constructor. */
  readonly makeSocket?: unknown;
}

export interface BrowserCallOptions {
  /** Milliseconds until the call fails, even if no daemon is reachable: 1 to 20,000; default 20,000. */
  readonly timeout?: number | undefined;
  /** Selects the answers that determine the result; default `first`, the first successful one. */
  readonly policy?: Policy | undefined;
  /** The `traceparent` of W3C Trace Context, which the daemons' slow logs show. */
  readonly traceparent?: string | undefined;
  /**
   * Aborts the call, as with `fetch`: it then fails with `aborted`, whose `cause` is the signal's reason. Its `effect`
   * states whether daemons may have applied it.
   */
  readonly signal?: AbortSignal | undefined;
  /** The number of the database; default 0. */
  readonly db?: number | undefined;
  /**
   * The call is applied only if the last write to each of these keys is the given `writer`; otherwise the result is
   * null.
   */
  readonly if?:
    | readonly { readonly key: string; readonly writer: string | null; readonly db?: number | undefined }[]
    | undefined;
  /** The write, from `lastWrite`, that a daemon must have before it applies the call. */
  readonly after?: string | undefined;
  /** The id of the only daemon that accepts the call. */
  readonly only?: string | undefined;
  /** Whether the daemon answers only once no write with an earlier position can arrive. */
  readonly stable?: boolean | undefined;
  /** The number of daemons that must have the write on their disks before the answer. */
  readonly replicated?: number | undefined;
  /** Whether `call` and `multi` return the strings of a reply as bytes. */
  readonly buffers?: boolean | undefined;
}

export type BrowserReply = string | number | bigint | null | Uint8Array | DbsyncError | BrowserReply[];

/** A call that no daemon has answered. */
export interface Waiting {
  /** The command, or the list of `multi`. */
  readonly command: CommandInput | readonly CommandInput[];
  /** The time of the call, in milliseconds since 1970. */
  readonly since: number;
  /** The time at which the call fails if no daemon has answered. */
  readonly until: number;
  /** Whether an earlier page made the call. */
  readonly isRecovered: boolean;
}

/** The result of a call that an earlier page made. */
export interface Recovered extends Omit<Waiting, "isRecovered"> {
  /** The reply, or null for nil and after an error. */
  readonly value: BrowserReply;
  /** The error of the call, or null if the daemons replied. */
  readonly error: DbsyncError | null;
}

export interface BrowserDaemon {
  /** The address, as in `servers`. */
  readonly address: string;
  readonly state: "connecting" | "greeting" | "speaking" | "closed";
}

export interface BrowserClient extends AsyncDisposable {
  /** Sends a command to every daemon, and resolves with the value as text, or null for nil. */
  send(command: CommandInput, options?: BrowserCallOptions): Promise<string | null>;
  /**
   * Sends a command and resolves with its reply, typed. `Reply` is the type that the caller expects, for example
   * `string | null`; the client does not check it.
   */
  call<Reply extends BrowserReply = BrowserReply>(
    command: CommandInput,
    options?: BrowserCallOptions,
  ): Promise<Reply>;
  /** Sends commands that each daemon applies together, with no other command between them. */
  multi(commands: readonly CommandInput[], options?: BrowserCallOptions): Promise<BrowserReply[] | null>;
  /** Resolves when each daemon has answered or failed. */
  sendAll(command: CommandInput, options?: BrowserCallOptions): Promise<{ outcomes: Outcome[] }>;
  /** Iterates over the messages on a channel, or on all channels that match a pattern. */
  subscribe(channel: ChannelInput, options?: ListenOptions): AsyncIterableIterator<ChannelEvent>;
  /** Iterates over the changes of a key, or of all keys with a prefix. */
  watch(key: KeyInput, options?: ListenOptions): AsyncIterableIterator<WatchEvent>;
  /** Returns the public key in the form that `dbsync keys add` accepts. */
  publicKeyPem(): Promise<string>;
  /** This client's newest write that a daemon has acknowledged, for the option `after`, or null if there is none. */
  readonly lastWrite: string | null;
  /** The unanswered calls, in the order in which they were made. */
  readonly outbox: readonly Waiting[];
  /** The reason why signed calls do not outlive the page, or null if they do. */
  readonly unkept: string | null;
  readonly daemons: readonly BrowserDaemon[];
  /** Closes the client; unanswered calls fail with `closed`. */
  close(): void;
}
