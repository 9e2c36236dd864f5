/**
 * The client, in Node and in web pages: it makes calls, adds them to an outbox, and has one timer for all of them. Each
 * call is signed only once. A `ClientHost` supplies what differs between a process of Node and a page.
 */
import { hexOf, UNIT_COMMANDS_MAX } from "../protocol/version-2/envelope.js";
import { unitOrderKey } from "../protocol/version-2/unit-names.js";
import { type CallParts, PendingCall, type ReplyHandlers } from "./calls/pending-call.js";
import type { CallingClient } from "./client.js";
import type { ChannelEvent, ChannelInput, KeyInput, ListenOptions, WatchEvent } from "./live/live-events.js";
import type { Listening, ListeningOptions } from "./live/subscriptions.js";
import {
  type CallOptions,
  type CallSettings,
  readCallOptions,
  type TypedCallOptions,
} from "./settings/call-options.js";
import { onAbort, removeAbortListener } from "./shared/abort-listeners.js";
import type { Environment } from "./shared/client-environment.js";
import { commandKindOf, commandName, inputBytes, isReadCommand } from "./shared/command-bytes.js";
import type { CommandInput } from "./shared/command-input.js";
import { callLabel, commandLabel, commandsLabel } from "./shared/command-labels.js";
import type { CommandKind } from "./shared/commands.js";
import { DeadlineTimer } from "./shared/deadline-timer.js";
import { abortedCall, closedClient, DbsyncError, type Outcome } from "./shared/errors.js";
import type { ReplyValue, Shape } from "./shared/reply-value.js";
import type { Sealer } from "./shared/sealer.js";
import type { Outbox } from "./version-2/outbox.js";

/** The process or the web page that a client runs in. */
export interface ClientHost {
  readonly environment: Environment;
  /** Whether sendings are pending, including those of settled calls. */
  readonly isBusy: boolean;
  /** Calls `opened` with the outbox: in Node immediately, in a page once its code and its key are loaded. */
  open(timer: DeadlineTimer, opened: (outbox: Outbox) => void): void;
  /** Waits for the outbox. @throws DbsyncError `all-failed`: loading it, or the key, takes longer than `ms` */
  waitForOutbox(ms: number): Promise<Outbox>;
  /** Returns the sealer of subscriptions. */
  sealer(): Promise<Sealer>;
  /** Returns the promise of a call. @param method  the method of the client that was called */
  promise<Result>(
    start: StartCall<Result>,
    commands: readonly CommandInput[],
    method: Method,
  ): Promise<Result>;
  /** Returns a call in the form in which it is made. @throws DbsyncError `busy` */
  accept(parts: CallParts): CallParts;
  /** Checks a call with the versions of the daemons. @throws DbsyncError  no daemon can support the call */
  check(inputs: CallParts["inputs"], settings: CallSettings, now: number): void;
  /** Counts a call that is being added to the outbox. */
  added(): void;
  /** Handles all timeouts that have expired. @returns the time at which it must be called next, or infinity */
  tick(now: number): number;
  /** Closes the outbox. Calls in flight fail with `code`. */
  close(code: "closed" | "reset", now: number): void;
}

export type Method = (...given: never[]) => unknown;

/** A call whose commands are bytes already. Its errors do not name its inputs. */
export interface ForwardedCall extends Pick<CallParts, "inputs" | "bytes" | "settings"> {
  readonly commandKind: CommandKind;
}

/** Starts a call. @param traceparent  the trace context, for a call that has none */
export type StartCall<Result> = (
  resolve: (result: Result) => void,
  reject: (error: Error) => void,
  traceparent?: string,
) => void;

export class OutboxClient implements CallingClient {
  readonly #settings: CallSettings & ListeningOptions;
  readonly #host: ClientHost;
  readonly #environment: Environment;
  readonly #timer: DeadlineTimer;
  /** The outbox, or null if a page has not loaded it yet. */
  #outbox: Outbox | null = null;
  /** The subscriptions, or null before the first one and after a failure to load their code. */
  #listening: Promise<Listening> | null = null;
  #closedBy: "closed" | "reset" | null = null;

  constructor(settings: CallSettings & ListeningOptions, host: ClientHost) {
    this.#settings = settings;
    this.#host = host;
    this.#environment = host.environment;
    this.#timer = new DeadlineTimer(host.environment, () => this.#tick());
    host.open(this.#timer, (outbox) => {
      this.#outbox = outbox;
    });
  }

  send(command: CommandInput, options?: CallOptions): Promise<string | null> {
    return options === undefined
      ? this.sendWith(command, this.#settings)
      : this.#call("text", command, options, this.send);
  }

  /** Sends a command with options that have already been parsed. */
  sendWith(command: CommandInput, settings: CallSettings): Promise<string | null> {
    return this.#host.promise(
      (resolve, reject, traceparent) => this.#start("text", command, settings, resolve, reject, traceparent),
      [command],
      this.sendWith,
    );
  }

  call<Reply extends ReplyValue = ReplyValue>(
    command: CommandInput,
    options: TypedCallOptions = {},
  ): Promise<Reply> {
    const isText = options?.buffers !== true && isWritersCommand(command);
    const reply = this.#call<Reply>(isText ? "buffers" : "value", command, options, this.call);
    return isText ? (reply.then(writersAsText) as Promise<Reply>) : reply;
  }

  multi(commands: readonly CommandInput[], options: TypedCallOptions = {}): Promise<ReplyValue[] | null> {
    return this.#call("value", commands, options, this.multi, true);
  }

  sendAll(command: CommandInput, options: CallOptions = {}): Promise<{ outcomes: Outcome[] }> {
    return this.#call("outcomes", command, options, this.sendAll);
  }

  /**
   * Sends bytes for a program that forwards commands: one command or, with `multi`, several. `to` receives the reply
   * unchanged. Requires version 2.
   */
  forward(
    inputs: CallParts["inputs"],
    bytes: CallParts["bytes"],
    commandKind: CommandKind,
    settings: CallSettings,
    { resolve, reject }: ReplyHandlers,
  ): void {
    const now = this.#environment.now();
    this.#begin({ shape: "reply", inputs, bytes, settings, now, resolve, reject }, commandKind);
  }

  /** Iterates over the messages on a channel, or on all channels that match a pattern. Loads the code for it. */
  subscribe(channel: ChannelInput, options: ListenOptions = {}): AsyncIterableIterator<ChannelEvent> {
    return this.#events((listening) => listening.subscribe(channel, options));
  }

  watch(key: KeyInput, options: ListenOptions = {}): AsyncIterableIterator<WatchEvent> {
    return this.#events((listening) => listening.watch(key, options));
  }

  /** Whether at least one daemon is reachable, as far as the client knows. */
  get isReachable(): boolean {
    return this.#outbox?.fleet.isBackingOff(this.#environment.now()) === false;
  }

  get lastWrite(): string | null {
    const last = this.#outbox?.fleet.lastWrite ?? null;
    return last === null ? null : hexOf(unitOrderKey(last.at, last.seq, last.id, last.index));
  }

  /** Whether sendings are pending, including those of settled calls. */
  get isBusy(): boolean {
    return this.#host.isBusy;
  }

  async close(): Promise<void> {
    this.closeWith("closed");
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Closes the client. Calls in flight fail with `code`. */
  closeWith(code: "closed" | "reset"): void {
    if (this.#closedBy !== null) return;
    this.#closedBy = code;
    this.#listening?.then((listening) => listening.close()).catch(() => {});
    this.#listening = null;
    this.#host.close(code, this.#environment.now());
    this.#timer.stop();
  }

  /** Makes a call: several commands if `inputs` is the list of `multi`. */
  #call<Result>(
    shape: "text" | "value" | "buffers" | "outcomes",
    inputs: CommandInput | readonly CommandInput[],
    options: TypedCallOptions,
    method: Method,
    isMulti = false,
  ): Promise<Result> {
    return this.#host.promise<Result>(
      (resolve, reject, traceparent) => {
        const read = readCallOptions(options, this.#settings);
        const settings = isMulti ? { ...read, envelope: { ...read.envelope, multi: true } } : read;
        const asked = settings.buffers && shape === "value" ? "buffers" : shape;
        this.#start(asked, inputs, settings, resolve, reject, traceparent);
      },
      isMulti ? (inputs as readonly CommandInput[]) : [inputs as CommandInput],
      method,
    );
  }

  /** Starts a call. Errors before anything is sent are thrown; later errors reject the call. */
  #start(
    shape: Shape,
    inputs: CommandInput | readonly CommandInput[],
    options: CallSettings,
    resolve: (result: never) => void,
    reject: (error: Error) => void,
    traceparent?: string,
  ): void {
    const isMulti = options.envelope?.multi === true;
    if (this.#closedBy !== null) throw closedClient(this.#closedBy, labelOf(inputs, isMulti));
    if (options.signal?.aborted) throw abortedCall(options.signal, labelOf(inputs, isMulti));

    const now = this.#environment.now();
    const isOwn = traceparent === undefined || options.traceparent !== null;
    const settings = isOwn ? options : { ...options, traceparent };
    this.#host.check(inputs, settings, now);
    if (isMulti && !(Array.isArray(inputs) && inputs.length > 0 && inputs.length <= UNIT_COMMANDS_MAX))
      throw new DbsyncError("bad-command", `multi accepts 1 to ${UNIT_COMMANDS_MAX} commands`);

    const bytes = inputBytes(inputs, isMulti);
    const kind = isMulti
      ? unitKindOf(inputs as readonly CommandInput[])
      : commandKindOf(inputs as CommandInput);
    this.#begin({ shape, inputs, bytes, settings, now, resolve, reject }, kind);
  }

  /** Adds a call to the outbox, or rejects it if the outbox does not accept it. */
  #begin(parts: CallParts, commandKind: CommandKind): void {
    const { signal } = parts.settings;
    const call = signal === null ? new PendingCall(this.#host.accept(parts)) : this.#abortable(parts, signal);
    if (this.#outbox !== null) this.#add(call, commandKind, this.#outbox, parts.now);
    else
      this.#host.waitForOutbox(parts.settings.timeout).then(
        (outbox) => this.#add(call, commandKind, outbox, this.#environment.now()),
        (problem) => {
          if (!call.isSettled) call.reject(problem);
        },
      );
  }

  /** Makes a call that listens to its signal until it settles. */
  #abortable(parts: CallParts, signal: AbortSignal): PendingCall {
    const aborted = () => this.#abort(call, signal);
    const call = new PendingCall(this.#host.accept(withoutListener(parts, signal, aborted)));
    onAbort(signal, aborted);
    return call;
  }

  #abort(call: PendingCall, signal: AbortSignal): void {
    if (this.#outbox !== null) this.#outbox.cancel(call, signal.reason, this.#environment.now());
    else {
      call.isSettled = true;
      call.reject(abortedCall(signal, callLabel(call)));
    }
  }

  #add(call: PendingCall, commandKind: CommandKind, outbox: Outbox, now: number): void {
    if (call.isSettled) return;
    try {
      if (this.#closedBy !== null) throw closedClient(this.#closedBy, "");
      outbox.admit(call);
    } catch (problem) {
      call.reject(problem as Error);
      return;
    }
    this.#timer.wakeBy(call.deadline, now);
    this.#host.added();
    outbox.add(call, commandKind, now);
  }

  #events<Event>(
    begin: (listening: Listening) => AsyncIterableIterator<Event>,
  ): AsyncIterableIterator<Event> {
    if (this.#listening === null) {
      this.#listening = this.#loadListening();
      this.#listening.catch(() => {
        this.#listening = null;
      });
    }
    return deferredEvents(this.#listening.then(begin));
  }

  async #loadListening(): Promise<Listening> {
    const loading = loaded(import("./live/subscriptions.js"));
    const [sealer, { Listening }] = await Promise.all([this.#host.sealer(), loading]);
    if (this.#closedBy !== null) throw closedClient(this.#closedBy, "");
    return new Listening(this.#settings, this.#environment, sealer);
  }

  #tick(): void {
    const now = this.#environment.now();
    const next = this.#host.tick(now);
    if (next < Number.POSITIVE_INFINITY) this.#timer.wakeBy(next, now);
  }
}

/** Awaits the import of a module that is loaded later. @throws DbsyncError `all-failed` */
export function loaded<Module>(module: Promise<Module>): Promise<Module> {
  return module.catch((cause) => {
    throw new DbsyncError("all-failed", String(cause), { cause });
  });
}

/** Returns a call that removes the listener of its signal when it settles. */
function withoutListener(parts: CallParts, signal: AbortSignal, listener: () => void): CallParts {
  const { resolve, reject } = parts;
  return {
    ...parts,
    resolve(result) {
      removeAbortListener(signal, listener);
      resolve(result);
    },
    reject(problem) {
      removeAbortListener(signal, listener);
      reject(problem);
    },
  };
}

const labelOf = (inputs: CommandInput | readonly CommandInput[], isMulti: boolean): string =>
  isMulti ? commandsLabel(inputs as readonly CommandInput[]) : commandLabel(inputs as CommandInput);

/** Returns the kind of the commands of `multi`. */
function unitKindOf(commands: readonly CommandInput[]): CommandKind {
  return commands.every(isReadCommand) ? "reads" : "writes";
}

/**
 * Returns an iterator over the events of `coming`, before they are ready, because code or a key may have to be loaded
 * first.
 * @param coming  if it rejects, the first `next` rejects
 */
export function deferredEvents<Event>(
  coming: Promise<AsyncIterableIterator<Event>>,
): AsyncIterableIterator<Event> {
  coming.catch(() => {});
  const iterator: AsyncIterableIterator<Event> = {
    next: async () => await (await coming).next(),
    return: async () => (await (await coming).return?.()) ?? { value: undefined, done: true },
    [Symbol.asyncIterator]: () => iterator,
  };
  return iterator;
}

/**
 * Whether a command is `WRITERS key …`, which returns the last writer of each key. The bytes of a writer are not text,
 * so callers that request text receive hexadecimal digits, which the option `if` accepts. It is the only such command,
 * so its name is here and not in the generated file. Source: docs/protocol-v2.md "Units".
 */
export function isWritersCommand(command: CommandInput): boolean {
  const name = commandName(command);
  return typeof name === "string" && name.length === "WRITERS".length && name.toUpperCase() === "WRITERS";
}

/**
 * Converts the reply's Buffers to hexadecimal digits, and the empty Buffers of absent keys to null.
 * @param reply  a reply with Buffers
 */
function writersAsText(reply: ReplyValue): ReplyValue {
  if (Array.isArray(reply)) return reply.map(writersAsText);
  if (!Buffer.isBuffer(reply)) return reply;
  return reply.length === 0 ? null : reply.toString("hex");
}
