/**
 * The client for web pages. It stores a limited number of unanswered calls, lists them, and sends them to each daemon
 * that becomes reachable again, until their deadlines. The modules for version 2, for listening and for IndexedDB are
 * loaded when first used.
 */
import {
  bytesOfHex,
  HASH_BYTES,
  hexOf,
  orderKey,
  UNIT_COMMANDS_MAX,
} from "../../protocol/version-2/envelope.js";
import type { CallsOwner } from "../calls/calls-owner.js";
import { PendingCall } from "../calls/pending-call.js";
import { NO_VERSION_1 } from "../calls/version-1-sending.js";
import type { ChannelEvent, ChannelInput, KeyInput, ListenOptions, WatchEvent } from "../live/live-event.js";
import type { Listening } from "../live/subscription-requests.js";
import { type CallSettings, readCallOptions, type TypedCallOptions } from "../settings/call-options.js";
import type { Environment } from "../shared/client-environment.js";
import { commandBytes, commandKindOf, isReadCommand } from "../shared/command-bytes.js";
import type { CommandInput } from "../shared/command-input.js";
import type { CommandKind } from "../shared/commands.js";
import { Alarm } from "../shared/deadline-timer.js";
import { deferredEvents } from "../shared/deferred-events.js";
import { DbsyncError, type Outcome } from "../shared/errors.js";
import type { Shape } from "../shared/reply-value.js";
import type { Address } from "../shared/server-list.js";
import type { Batch } from "../version-2/call-batch.js";
import type { Outbox } from "../version-2/outbox.js";
import { isWritersCommand, writersAsText } from "../writers-command.js";
import type {
  BrowserCallOptions,
  BrowserClient,
  BrowserDaemon,
  BrowserReply,
  Recovered,
  Waiting,
} from "./browser-client.js";
import type { StoredEnvelope, StoredEnvelopes } from "./stored-envelopes.js";
import { publicKeyPem, type WebKey } from "./web-key.js";
import { WebSealer } from "./web-sealer.js";

/** The maximum number of unanswered calls, and the maximum size of their commands in bytes. */
const CALLS_MAX = 1000;
const BYTES_MAX = 4 * 1024 * 1024;
/** The time for which a failed call waits until its envelope is deleted. After it, the effect is unknown. */
const FORGET_MS = 1_000;

export interface WebSettings extends CallSettings {
  readonly servers: readonly Address[];
  /** The cluster's id in hexadecimal digits, or "" to query the daemons. */
  readonly cluster: string;
  /** The name under which the key is stored, or null if it is not stored. */
  readonly keyName: string | null;
  readonly changed: () => void;
  readonly recovered: (end: Recovered) => void;
}

/** An unanswered call, and its share of the limits. */
interface Held extends Waiting {
  readonly bytes: number;
}

export class WebClient implements BrowserClient, CallsOwner {
  readonly #settings: WebSettings;
  readonly #environment: Environment;
  readonly #key: Promise<WebKey>;
  readonly #alarm: Alarm;
  /** The outbox, or null if the key or the module is not loaded yet. */
  #outbox: Outbox | null = null;
  /** The outbox that is being loaded or has been loaded, or null if the last attempt to load it failed. */
  #opened: Promise<Outbox> | null = null;
  /** The subscriptions, or null if the caller has not subscribed yet. */
  #listening: Promise<Listening> | null = null;
  /** The store of signed envelopes, or null if there is none or it is not opened yet. */
  #storedEnvelopes: Promise<StoredEnvelopes | null> | null = null;
  /** Returns the reason why signed envelopes are not stored, or null if they are stored. */
  #storeProblem: () => string | null = () => null;
  readonly #held = new Set<Held>();
  #heldBytes = 0;
  #isClosed = false;
  #isNotifying = false;

  constructor(settings: WebSettings, environment: Environment, key: Promise<WebKey>) {
    this.#settings = settings;
    this.#environment = environment;
    this.#key = key;
    this.#alarm = new Alarm(environment, () => this.#tick());
    // If this attempt fails, each call tries again and reports its own failure.
    this.#open().catch(() => {});
  }

  send(command: CommandInput, options: BrowserCallOptions = {}): Promise<string | null> {
    return this.#start("text", command, options);
  }

  async call<Reply extends BrowserReply = BrowserReply>(
    command: CommandInput,
    options: BrowserCallOptions = {},
  ): Promise<Reply> {
    if (options.buffers === true || !isWritersCommand(command))
      return await this.#start(options.buffers ? "buffers" : "value", command, options);
    return writersAsText(await this.#start("buffers", command, options)) as Reply;
  }

  multi(commands: readonly CommandInput[], options: BrowserCallOptions = {}): Promise<BrowserReply[] | null> {
    if (!Array.isArray(commands) || commands.length === 0 || commands.length > UNIT_COMMANDS_MAX)
      return Promise.reject(new DbsyncError("bad-command", `1 to ${UNIT_COMMANDS_MAX} commands`));
    const commandKind = commands.every(isReadCommand) ? "reads" : "writes";
    return this.#add(options.buffers ? "buffers" : "value", commands, options, () => ({
      commandKind,
      bytes: commands.map(commandBytes),
    }));
  }

  sendAll(command: CommandInput, options: BrowserCallOptions = {}): Promise<{ outcomes: Outcome[] }> {
    return this.#start("outcomes", command, options);
  }

  subscribe(channel: ChannelInput, options: ListenOptions = {}): AsyncIterableIterator<ChannelEvent> {
    return deferredEvents(this.#listen().then((listening) => listening.subscribe(channel, options)));
  }

  watch(key: KeyInput, options: ListenOptions = {}): AsyncIterableIterator<WatchEvent> {
    return deferredEvents(this.#listen().then((listening) => listening.watch(key, options)));
  }

  async publicKeyPem(): Promise<string> {
    return publicKeyPem(await this.#key);
  }

  get lastWrite(): string | null {
    const last = this.#outbox?.fleet.lastWrite ?? null;
    return last === null ? null : hexOf(orderKey(last.at, last.seq, last.id, last.index));
  }

  get outbox(): readonly Waiting[] {
    return [...this.#held].map(({ bytes: _, ...waiting }) => waiting);
  }

  get unkept(): string | null {
    return this.#settings.keyName === null ? "its key is not stored" : this.#storeProblem();
  }

  get daemons(): readonly BrowserDaemon[] {
    const links = this.#outbox?.fleet.links;
    return this.#settings.servers.map(({ text }, index) => ({
      address: text,
      state: links?.[index]?.state ?? "closed",
    }));
  }

  close(): void {
    this.#isClosed = true;
    this.#listening?.then((listening) => listening.close()).catch(() => {});
    this.#outbox?.close("closed", this.#environment.now());
    this.#withStore((store) => store.close());
    this.#alarm.stop();
  }

  /** Tries unreachable daemons immediately, because the network may be back. */
  retry(): void {
    const now = this.#environment.now();
    if (this.#held.size > 0) this.#outbox?.fleet.greet(now, true);
    this.#withStore((store) => store.adopt());
    this.#tick();
  }

  signed(batch: Batch): void {
    this.#withStore((store) => store.save(batch));
  }

  done(batch: Batch): void {
    this.#withStore((store) => store.forget(batch));
  }

  settled(): void {}

  started(): void {
    this.#notifyChanged();
  }

  ended(): void {
    this.#notifyChanged();
  }

  #start<Result>(shape: Shape, command: CommandInput, options: BrowserCallOptions): Promise<Result> {
    return this.#add(shape, command, options, () => ({
      commandKind: commandKindOf(command),
      bytes: commandBytes(command),
    }));
  }

  async #add<Result>(
    shape: Shape,
    inputs: CommandInput | readonly CommandInput[],
    options: BrowserCallOptions,
    make: () => { commandKind: CommandKind; bytes: PendingCall["bytes"] },
  ): Promise<Result> {
    const environment = this.#environment;
    const read = readCallOptions(options as TypedCallOptions, this.#settings);
    const { commandKind, bytes } = make();
    const isAlone = typeof bytes === "string";
    const settings = isAlone ? read : { ...read, envelope: { ...read.envelope, multi: true } };
    const now = environment.now();
    const since = environment.wallClock();
    const size = sizeOf(bytes);
    if (this.#held.size >= CALLS_MAX || this.#heldBytes + size > BYTES_MAX)
      throw new DbsyncError("busy", `${this.#held.size} calls wait`);
    const until = since + settings.timeout;
    const held = this.#hold({ command: inputs, since, until, isRecovered: false, bytes: size });
    try {
      const outbox = this.#outbox ?? (await this.#openWithin(settings.timeout));
      if (this.#isClosed) throw new DbsyncError("closed", "it is closed");
      return await new Promise<Result>((resolve, reject) => {
        const call = new PendingCall({ shape, inputs, bytes, settings, now, resolve, reject });
        outbox.admit(call);
        this.#alarm.ringBy(call.deadline);
        outbox.add(call, commandKind, environment.now());
      });
    } catch (problem) {
      throw await this.#reported(problem);
    } finally {
      this.#release(held);
    }
  }

  /**
   * Returns the error to report for a call. The next page would send an envelope that is still stored, so a call counts
   * as not applied only once its envelope is deleted.
   */
  async #reported(problem: unknown): Promise<unknown> {
    if (!(problem instanceof DbsyncError) || problem.effect === "unknown") return problem;
    const store = await this.#storedEnvelopes;
    if (!store || (await this.#within(FORGET_MS, store.forgotten()))) return problem;
    const outcomes = problem.outcomes.map((outcome) => ({ ...outcome, effect: "unknown" as const }));
    return new DbsyncError(problem.code, "its stored envelope was not deleted", { outcomes, cause: problem });
  }

  /** Resolves with a value, or with false after `ms`. */
  #within(ms: number, value: Promise<boolean>): Promise<boolean> {
    return new Promise((resolve) => {
      const timer = this.#environment.setTimer(ms, () => resolve(false));
      value.then(resolve).finally(() => timer.cancel());
    });
  }

  #hold(held: Held): Held {
    this.#held.add(held);
    this.#heldBytes += held.bytes;
    this.#notifyChanged();
    return held;
  }

  #release(held: Held): void {
    this.#held.delete(held);
    this.#heldBytes -= held.bytes;
    this.#notifyChanged();
  }

  /** Continues the calls of an earlier page. Calls above the limits end immediately. */
  #resume(outbox: Outbox, { company, options, envelope, calls }: StoredEnvelope): Batch {
    const environment = this.#environment;
    const { recovered } = this.#settings;
    const now = environment.now();
    const message = Buffer.from(envelope.message);
    const bytesMax = BYTES_MAX - this.#heldBytes - message.length;
    const hasRoom = this.#held.size + calls.length <= CALLS_MAX && bytesMax >= 0;
    const pending = calls.map(({ inputs, settings: before, since, until }) => {
      const bytes =
        before.envelope?.multi === true
          ? (inputs as readonly CommandInput[]).map(commandBytes)
          : commandBytes(inputs as CommandInput);
      const waiting = { command: inputs, since, until };
      const held = this.#hold({ ...waiting, isRecovered: true, bytes: sizeOf(bytes) });
      const end = (value: BrowserReply, error: DbsyncError | null) => {
        this.#release(held);
        queueMicrotask(() => recovered({ ...waiting, value, error }));
      };
      // The remaining time may exceed the original timeout if the clock has been set back.
      const timeout = hasRoom ? Math.max(0, Math.min(until - environment.wallClock(), before.timeout)) : 0;
      return new PendingCall({
        shape: "value",
        inputs,
        bytes,
        settings: { ...before, timeout },
        now,
        resolve: (value) => end(value, null),
        reject: (error) => end(null, error as DbsyncError),
      });
    });
    const batch = { commandKind: company, options, envelope: { ...envelope, message } };
    return outbox.resume(pending, batch, now);
  }

  /** Opens the outbox. @throws DbsyncError  `all-failed`: loading its module, or the key, takes longer than `ms` */
  #openWithin(ms: number): Promise<Outbox> {
    return new Promise((resolve, reject) => {
      const late = () => reject(new DbsyncError("all-failed", `not loaded within ${ms} ms`));
      const timer = this.#environment.setTimer(ms, late);
      this.#open()
        .then(resolve, reject)
        .finally(() => timer.cancel());
    });
  }

  #open(): Promise<Outbox> {
    if (this.#opened === null) {
      this.#opened = this.#load();
      this.#opened.catch(() => {
        this.#opened = null;
      });
    }
    return this.#opened;
  }

  /** Loads the key and the outbox. @throws DbsyncError  `bad-key`, `all-failed` */
  async #load(): Promise<Outbox> {
    const settings = this.#settings;
    const { servers: addresses } = settings;
    const loading = loaded(import("../version-2/outbox.js"));
    const storing = settings.keyName === null ? null : loaded(import("./stored-envelopes.js"));
    // If the key cannot be loaded, that error is reported. If an import fails meanwhile, its rejection must not count
    // as unhandled.
    loading.catch(() => {});
    storing?.catch(() => {});
    const sealer = await WebSealer.of(await this.#key);
    const { Outbox } = await loading;
    this.#outbox = new Outbox({
      owner: this,
      environment: this.#environment,
      alarm: this.#alarm,
      sealer,
      settings: {
        addresses,
        cluster: bytesOfHex(settings.cluster, HASH_BYTES) ?? "",
        versions: "2",
        keepalive: true,
        isPatient: true,
        isSession: true,
      },
      version1: addresses.map(() => NO_VERSION_1),
      trace: null,
      warn: (warning: string) => console.warn(warning),
    });
    if (storing !== null) this.#storedEnvelopes = this.#openStore(storing, this.#outbox);
    return this.#outbox;
  }

  async #openStore(
    storing: Promise<typeof import("./stored-envelopes.js")>,
    outbox: Outbox,
  ): Promise<StoredEnvelopes | null> {
    const { keyName, cluster } = this.#settings;
    const environment = this.#environment;
    const ahead = () => environment.wallClock() - environment.now();
    try {
      const { StoredEnvelopes } = await storing;
      if (this.#isClosed) return null;
      // Pages of one site may use one key for several clusters.
      const name = `${keyName}${cluster}`;
      const store = new StoredEnvelopes(
        name,
        ahead,
        (stored) => this.#resume(outbox, stored),
        this.#notifyChanged,
      );
      this.#storeProblem = () => store.problem;
      return store;
    } catch (problem) {
      this.#storeProblem = () => (problem as Error).message;
      this.#notifyChanged();
      return null;
    }
  }

  /** Calls `act` with the store once it is loaded, in the order of the calls. Does nothing if there is no store. */
  #withStore(act: (store: StoredEnvelopes) => void): void {
    this.#storedEnvelopes?.then((store) => store && act(store));
  }

  async #listen(): Promise<Listening> {
    if (this.#listening === null) {
      this.#listening = this.#loadListening();
      this.#listening.catch(() => {
        this.#listening = null;
      });
    }
    return await this.#listening;
  }

  async #loadListening(): Promise<Listening> {
    const [sealer, { Listening }] = await Promise.all([
      this.#key.then(WebSealer.of),
      loaded(import("../live/subscription-requests.js")),
    ]);
    if (this.#isClosed) throw new DbsyncError("closed", "it is closed");
    return new Listening(this.#settings, this.#environment, sealer);
  }

  #tick(): void {
    const outbox = this.#outbox;
    if (outbox === null || this.#isClosed) return;
    const now = this.#environment.now();
    outbox.tick(now);
    const next = outbox.nextTick();
    if (next < Number.POSITIVE_INFINITY) this.#alarm.ringBy(next, now);
    this.#notifyChanged();
  }

  /** Calls `changed`, once for several changes. */
  readonly #notifyChanged = (): void => {
    if (this.#isNotifying) return;
    this.#isNotifying = true;
    queueMicrotask(() => {
      this.#isNotifying = false;
      this.#settings.changed();
    });
  };
}

/** Awaits the import of a module of the bundle. @throws DbsyncError `all-failed` */
function loaded<Module>(module: Promise<Module>): Promise<Module> {
  return module.catch((cause) => {
    throw new DbsyncError("all-failed", String(cause), { cause });
  });
}

const sizeOf = (bytes: PendingCall["bytes"]): number =>
  typeof bytes === "string" ? bytes.length : bytes.reduce((sum, { length }) => sum + length, 0);
