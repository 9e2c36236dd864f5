/**
 * A client, which combines the outbox, the version 1 deliveries to each daemon, and one timer for all calls. Each call
 * is signed only once.
 */
import type { ByteString } from "../protocol/byte-string.js";
import {
  bytesOfHex,
  HASH_BYTES,
  hexOf,
  orderKey,
  UNIT_COMMANDS_MAX,
} from "../protocol/version-2/envelope.js";
import { isTraceparent } from "../protocol/version-2/traceparent.js";
import type { CallsOwner } from "./calls/calls-owner.js";
import { type CallMessage, isTraced, tracedCall } from "./calls/diagnostics-channels.js";
import { PendingCall, type ReplyHandlers } from "./calls/pending-call.js";
import type { CallingClient } from "./client.js";
import {
  type CallOptions,
  type CallSettings,
  readCallOptions,
  type TypedCallOptions,
} from "./settings/call-options.js";
import type { Settings } from "./settings/client-settings.js";
import { sealerOf } from "./settings/key-sealer.js";
import type { Signing } from "./settings/signing-key.js";
import type { Environment } from "./shared/client-environment.js";
import { commandBytes, commandKindOf, isReadCommand } from "./shared/command-bytes.js";
import type { CommandInput } from "./shared/command-input.js";
import { commandLabel, commandsLabel } from "./shared/command-labels.js";
import type { CommandKind } from "./shared/commands.js";
import { DELIVERY_LINGER_MS } from "./shared/connection-timeouts.js";
import { Alarm } from "./shared/deadline-timer.js";
import { closedClient, DbsyncError, needsVersion2, type Outcome } from "./shared/errors.js";
import type { FrameTracer } from "./shared/frame-tracer.js";
import type { ReplyValue, Shape } from "./shared/reply-value.js";
import type { Address } from "./shared/server-list.js";
import { CallFrames } from "./version-1/call-frames.js";
import { Version1Deliveries } from "./version-1/deliveries.js";
import { Outbox } from "./version-2/outbox.js";
import { isWritersCommand, writersAsText } from "./writers-command.js";

/** Starts a call. @param message  the message of `dbsync:call`, or undefined if it has no subscriber */
type Executor<Result> = (
  resolve: (result: Result) => void,
  reject: (error: Error) => void,
  message?: CallMessage,
) => void;

export class FanOutClient implements CallingClient, CallsOwner {
  readonly #settings: Settings;
  readonly #environment: Environment;
  readonly #addresses: readonly Address[];
  readonly #frames: CallFrames;
  readonly #version1: Version1Deliveries[] = [];
  readonly #outbox: Outbox;
  readonly #alarm: Alarm;
  /** The number of calls that have not settled. */
  #unsettled = 0;
  /** The number of deliveries and sendings that have not ended, including those of settled calls. */
  #deliveries = 0;
  /** The time, once all calls have settled, at which connections stop keeping the process alive. */
  #lingerUntil = Number.POSITIVE_INFINITY;
  #closedBy: "closed" | "reset" | null = null;

  /**
   * @param options.isSession  whether reads must see the client's acknowledged writes; default false
   * @param options.warn  receives warnings
   */
  constructor(
    settings: Settings,
    environment: Environment,
    { sign, signer }: Signing,
    options: { isSession?: boolean; trace?: FrameTracer | null; warn?: (warning: string) => void } = {},
  ) {
    const { isSession = false, trace = null, warn = () => {} } = options;
    const { servers: addresses, keepalive, versions } = settings;
    this.#settings = settings;
    this.#environment = environment;
    this.#addresses = addresses;
    this.#alarm = new Alarm(environment, () => this.#tick());
    const shared = { owner: this, alarm: this.#alarm, environment, trace };
    const frames = new CallFrames(sign, signer !== null);
    const all = this.#version1;
    for (const address of addresses)
      all.push(new Version1Deliveries({ address, environment, frames, all, trace }));
    this.#frames = frames;
    this.#outbox = new Outbox({
      ...shared,
      sealer: sealerOf(signer),
      settings: {
        addresses,
        cluster: bytesOfHex(settings.cluster, HASH_BYTES) ?? "",
        // An unsigned call can be replayed in either version, so version 1 needs no permission.
        versions: versions ?? (signer === null ? "1,2" : null),
        keepalive,
        isPatient: false,
        isSession,
      },
      version1: all,
      warn,
    });
  }

  send(command: CommandInput, options?: CallOptions): Promise<string | null> {
    const settings = options === undefined ? this.#settings : readCallOptions(options, this.#settings);
    return this.sendWith(command, settings);
  }

  /** Sends a command with options that have already been parsed. */
  sendWith(command: CommandInput, settings: CallSettings): Promise<string | null> {
    return this.#promise([command], (resolve, reject, message) =>
      this.#start("text", command, traced(settings, message), resolve, reject),
    );
  }

  call<Reply extends ReplyValue = ReplyValue>(
    command: CommandInput,
    options: TypedCallOptions = {},
  ): Promise<Reply> {
    return this.#promise<Reply>([command], (resolve, reject, message) => {
      const settings = traced(readCallOptions(options, this.#settings), message);
      if (settings.buffers || !isWritersCommand(command))
        this.#start(settings.buffers ? "buffers" : "value", command, settings, resolve, reject);
      else
        this.#start("buffers", command, settings, (reply) => resolve(writersAsText(reply) as Reply), reject);
    });
  }

  multi(commands: readonly CommandInput[], options: TypedCallOptions = {}): Promise<ReplyValue[] | null> {
    return this.#promise(commands, (resolve, reject, message) => {
      const settings = traced(readCallOptions(options, this.#settings), message);
      const envelope = { ...settings.envelope, multi: true };
      this.#startMulti(commands, { ...settings, envelope }, resolve, reject);
    });
  }

  sendAll(command: CommandInput, options?: CallOptions): Promise<{ outcomes: Outcome[] }> {
    return this.#promise([command], (resolve, reject, message) => {
      const settings = options === undefined ? this.#settings : readCallOptions(options, this.#settings);
      this.#start("outcomes", command, traced(settings, message), resolve, reject);
    });
  }

  /**
   * Sends bytes for a program that forwards commands: one command or, with `multi`, several. `to` receives the reply
   * unchanged. Requires version 2.
   */
  forward(
    bytes: ByteString | readonly ByteString[],
    commandKind: CommandKind,
    settings: CallSettings,
    to: ReplyHandlers,
  ): void {
    const { resolve, reject } = to;
    try {
      if (this.#closedBy !== null) throw closedClient(this.#closedBy, "");
      const now = this.#environment.now();
      const shape = "reply";
      const call = new PendingCall({ shape, inputs: [], bytes, settings, now, resolve, reject });
      this.#add(call, commandKind, this.#outbox);
    } catch (problem) {
      if (!(problem instanceof DbsyncError)) throw problem;
      reject(problem);
    }
  }

  /** Whether at least one daemon is reachable, as far as the client knows. */
  get isReachable(): boolean {
    return !this.#outbox.fleet.isBackingOff(this.#environment.now());
  }

  get lastWrite(): string | null {
    const last = this.#outbox.fleet.lastWrite;
    return last === null ? null : hexOf(orderKey(last.at, last.seq, last.id, last.index));
  }

  /** Whether sendings are pending, including those of settled calls. */
  get isBusy(): boolean {
    return this.#deliveries > 0;
  }

  close(): Promise<void> {
    this.closeWith("closed");
    return Promise.resolve();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** Closes the client. Calls in flight fail with `code`. */
  closeWith(code: "closed" | "reset"): void {
    if (this.#closedBy !== null) return;
    this.#closedBy = code;
    const now = this.#environment.now();
    this.#outbox.close(code, now);
    for (const deliveries of this.#version1) deliveries.close(now);
    this.#alarm.stop();
  }

  settled(calls: number): void {
    this.#unsettled -= calls;
    if (this.#unsettled > 0) return;
    if (this.#deliveries === 0) this.#alarm.hold(false);
    const now = this.#environment.now();
    this.#lingerUntil = now + DELIVERY_LINGER_MS;
    this.#alarm.ringBy(this.#lingerUntil, now);
  }

  started(sendings: number): void {
    this.#deliveries += sendings;
  }

  ended(sendings: number): void {
    this.#deliveries -= sendings;
    if (this.#deliveries === 0 && this.#unsettled === 0) this.#alarm.hold(false);
  }

  /** Returns the promise of a call, and traces it if `dbsync:call` has subscribers. */
  #promise<Result>(commands: readonly CommandInput[], start: Executor<Result>): Promise<Result> {
    if (!isTraced()) return new Promise(start);
    const servers = this.#addresses.map(({ text }) => text);
    const message: CallMessage = { command: commandsLabel(commands), servers };
    return tracedCall(message, () => new Promise((resolve, reject) => start(resolve, reject, message)));
  }

  /** Starts a call. Errors before anything is sent are thrown; later errors reject the call. */
  #start(
    shape: Shape,
    command: CommandInput,
    settings: CallSettings,
    resolve: (result: never) => void,
    reject: (error: Error) => void,
  ): void {
    if (this.#closedBy !== null) throw closedClient(this.#closedBy, commandLabel(command));
    const now = this.#environment.now();
    const outbox = this.#outbox;
    if (outbox.fleet.isVersion1(now, this.#deliveries === 0)) this.#frames.check(command, settings);
    const bytes = commandBytes(command);
    const call = new PendingCall({ shape, inputs: command, bytes, settings, now, resolve, reject });
    this.#add(call, commandKindOf(command), outbox);
  }

  #startMulti(
    commands: readonly CommandInput[],
    settings: CallSettings,
    resolve: (result: never) => void,
    reject: (error: Error) => void,
  ): void {
    if (this.#closedBy !== null) throw closedClient(this.#closedBy, commandsLabel(commands));
    const now = this.#environment.now();
    const outbox = this.#outbox;
    if (outbox.fleet.isVersion1(now, this.#deliveries === 0)) throw needsVersion2(commandsLabel(commands));
    if (!Array.isArray(commands) || commands.length === 0 || commands.length > UNIT_COMMANDS_MAX)
      throw new DbsyncError("bad-command", `multi accepts 1 to ${UNIT_COMMANDS_MAX} commands`);
    const bytes = commands.map(commandBytes);
    const shape = settings.buffers ? "buffers" : "value";
    const commandKind = commands.every(isReadCommand) ? "reads" : "writes";
    const call = new PendingCall({
      shape,
      inputs: commands,
      bytes,
      settings,
      now,
      resolve,
      reject,
    });
    this.#add(call, commandKind, outbox);
  }

  /** Adds a call to the outbox. @throws DbsyncError  the outbox does not accept it */
  #add(call: PendingCall, commandKind: CommandKind, to: Outbox): void {
    to.admit(call);
    this.#expect(call.deadline, call.startedAt);
    to.add(call, commandKind, call.startedAt);
  }

  /** Counts another unsettled call and sets the timer for its deadline. */
  #expect(deadline: number, now: number): void {
    this.#unsettled++;
    this.#lingerUntil = Number.POSITIVE_INFINITY;
    this.#alarm.ringBy(deadline, now);
    this.#alarm.hold(true);
  }

  #tick(): void {
    const now = this.#environment.now();
    for (const deliveries of this.#version1) deliveries.tick(now);
    this.#outbox.tick(now);
    if (this.#lingerUntil <= now) this.#releaseProcess(now);
    let next = Math.min(this.#lingerUntil, this.#outbox.nextTick());
    for (const deliveries of this.#version1) next = Math.min(next, deliveries.nextTick());
    if (next < Number.POSITIVE_INFINITY) this.#alarm.ringBy(next, now);
  }

  /** Stops keeping the process alive, because all calls have settled. */
  #releaseProcess(now: number): void {
    this.#alarm.hold(false);
    this.#outbox.fleet.releaseProcess(now);
    // If the process continues, a daemon still receives what is queued for it, unless it cannot be reached now.
    let next = this.#deliveries > 0 ? now + DELIVERY_LINGER_MS : Number.POSITIVE_INFINITY;
    for (const deliveries of this.#version1) next = Math.min(next, deliveries.releaseProcess(now));
    this.#lingerUntil = next;
  }
}

/**
 * Returns a call's settings with the trace context that a subscriber to `dbsync:call` has set, unless the call has its
 * own.
 */
function traced(settings: CallSettings, message: CallMessage | undefined): CallSettings {
  const traceparent = message?.traceparent;
  if (settings.traceparent !== null || !isTraceparent(traceparent)) return settings;
  return { ...settings, traceparent };
}
