/**
 * A client in a page. It wires the parts of version 2, and keeps what no daemon has answered: bounded, shown, and until its time is
 * over sent to each daemon that comes back.
 */
import { bytesOfHex, COMMANDS_MAX, HASH_BYTES, hexOf, orderKey } from "../../protocol/version-2/envelope.js";
import { PendingCall } from "../calls/pending-call.js";
import { NO_VERSION_1 } from "../calls/version-1-way.js";
import { Listening } from "../live/listening.js";
import type { ChannelEvent, ChannelInput, KeyInput, ListenOptions, WatchEvent } from "../live/live-event.js";
import { type CallSettings, readCallOptions, type TypedCallOptions } from "../settings/call-options.js";
import { Alarm } from "../shared/alarm.js";
import { comingEvents } from "../shared/coming-events.js";
import {
  type CommandInput,
  type Company,
  commandBytes,
  companyOf,
  isReadCommand,
} from "../shared/command.js";
import type { Environment } from "../shared/environment.js";
import { DbsyncError, type Outcome } from "../shared/errors.js";
import type { Shape } from "../shared/reply-value.js";
import type { Address } from "../shared/servers.js";
import type { Batch } from "../version-2/batch.js";
import { Outbox, type OutboxOwner } from "../version-2/outbox.js";
import { asksForWriters, writersAsText } from "../writers.js";
import type {
  BrowserCallOptions,
  BrowserClient,
  BrowserDaemon,
  BrowserReply,
  Recovered,
  Waiting,
} from "./client-face.js";
import { type KeptEnvelope, KeptEnvelopes } from "./kept-envelopes.js";
import { publicKeyPem, type WebKey } from "./web-key.js";
import { WebSealer } from "./web-sealer.js";

/** Calls that may be on their way at a time, and bytes of their commands. */
const CALLS_MOST = 1000;
const BYTES_MOST = 4 * 1024 * 1024;

export interface WebSettings extends CallSettings {
  readonly servers: readonly Address[];
  /** Hexadecimal digits; "": to be asked for. */
  readonly cluster: string;
}

export interface WebClientParts {
  readonly settings: WebSettings;
  readonly environment: Environment;
  readonly key: Promise<WebKey>;
  /** Under which it is kept; null: nowhere. */
  readonly keyName: string | null;
  readonly changed: () => void;
  readonly recovered: (told: Recovered) => void;
}

/** A call that is on its way, and what it holds of the bounds. */
interface Held extends Waiting {
  readonly bytes: number;
}

export class WebClient implements BrowserClient, OutboxOwner {
  readonly #parts: WebClientParts;
  readonly #alarm: Alarm;
  /** null: the key is not there yet. */
  #outbox: Outbox | null = null;
  #listening: Listening | null = null;
  #kept: KeptEnvelopes | null = null;
  readonly #opened: Promise<Outbox>;
  readonly #held = new Set<Held>();
  #heldBytes = 0;
  #moment = 0;
  #isClosed = false;
  #isTelling = false;

  constructor(parts: WebClientParts) {
    this.#parts = parts;
    this.#alarm = new Alarm(parts.environment, () => this.#tick());
    this.#opened = this.#open();
    // Each call is told.
    this.#opened.catch(() => {});
  }

  send(command: CommandInput, options: BrowserCallOptions = {}): Promise<string | null> {
    return this.#start("text", command, options);
  }

  async call(command: CommandInput, options: BrowserCallOptions = {}): Promise<BrowserReply> {
    if (options.buffers === true || !asksForWriters(command))
      return await this.#start(options.buffers ? "buffers" : "value", command, options);
    return writersAsText(await this.#start("buffers", command, options));
  }

  multi(commands: readonly CommandInput[], options: BrowserCallOptions = {}): Promise<BrowserReply[] | null> {
    if (!Array.isArray(commands) || commands.length === 0 || commands.length > COMMANDS_MAX)
      return Promise.reject(new DbsyncError("bad-command", `1 to ${COMMANDS_MAX} commands`));
    const company = commands.every(isReadCommand) ? "reads" : "writes";
    return this.#add(options.buffers ? "buffers" : "value", commands, options, () => ({
      company,
      bytes: commands.map(commandBytes),
    }));
  }

  sendAll(command: CommandInput, options: BrowserCallOptions = {}): Promise<{ outcomes: Outcome[] }> {
    return this.#start("outcomes", command, options);
  }

  subscribe(channel: ChannelInput, options: ListenOptions = {}): AsyncIterableIterator<ChannelEvent> {
    return comingEvents(this.#heard().then((listening) => listening.subscribe(channel, options)));
  }

  watch(key: KeyInput, options: ListenOptions = {}): AsyncIterableIterator<WatchEvent> {
    return comingEvents(this.#heard().then((listening) => listening.watch(key, options)));
  }

  async publicKeyPem(): Promise<string> {
    return publicKeyPem(await this.#parts.key);
  }

  get lastWrite(): string | null {
    const last = this.#outbox?.fleet.lastWrite ?? null;
    return last === null ? null : hexOf(orderKey(last.at, last.seq, last.id, last.index));
  }

  get outbox(): readonly Waiting[] {
    return [...this.#held].map(({ bytes: _, ...waiting }) => waiting);
  }

  get unkept(): string | null {
    return this.#parts.keyName === null ? "its key is not kept" : (this.#kept?.problem ?? null);
  }

  get daemons(): readonly BrowserDaemon[] {
    const links = this.#outbox?.fleet.links;
    return this.#parts.settings.servers.map(({ text }, index) => ({
      address: text,
      state: links?.[index]?.state ?? "closed",
    }));
  }

  close(): void {
    this.#isClosed = true;
    this.#listening?.close();
    this.#outbox?.close("closed", this.#parts.environment.now());
    this.#kept?.close();
    this.#alarm.stop();
  }

  /** The network is back, perhaps: those that were left alone for a while are tried at once. */
  retry(): void {
    const now = this.#parts.environment.now();
    if (this.#held.size > 0) this.#outbox?.fleet.greet(now, true);
    this.#kept?.adopt();
    this.#tick();
  }

  signed(batch: Batch): void {
    this.#kept?.keep(batch);
  }

  done(batch: Batch): void {
    this.#kept?.forget(batch);
  }

  nextMoment(): number {
    return ++this.#moment;
  }

  settled(): void {}

  started(): void {
    this.#tell();
  }

  ended(): void {
    this.#tell();
  }

  #start<Result>(shape: Shape, command: CommandInput, options: BrowserCallOptions): Promise<Result> {
    return this.#add(shape, command, options, () => ({
      company: companyOf(command),
      bytes: commandBytes(command),
    }));
  }

  async #add<Result>(
    shape: Shape,
    inputs: CommandInput | readonly CommandInput[],
    options: BrowserCallOptions,
    make: () => { company: Company; bytes: PendingCall["bytes"] },
  ): Promise<Result> {
    const { environment, settings: base } = this.#parts;
    const read = readCallOptions(options as TypedCallOptions, base);
    const { company, bytes } = make();
    const isAlone = typeof bytes === "string";
    const settings = isAlone ? read : { ...read, envelope: { ...read.envelope, multi: true } };
    const now = environment.now();
    const since = environment.wallClock();
    const size = sizeOf(bytes);
    if (this.#held.size >= CALLS_MOST || this.#heldBytes + size > BYTES_MOST)
      throw new DbsyncError("busy", `${this.#held.size} calls wait`);
    const until = since + settings.timeout;
    const held = this.#hold({ command: inputs, since, until, isRecovered: false, bytes: size });
    try {
      const outbox = this.#outbox ?? (await this.#opened);
      if (this.#isClosed) throw new DbsyncError("closed", "it is closed");
      return await new Promise<Result>((resolve, reject) => {
        const moment = ++this.#moment;
        const call = new PendingCall({ shape, inputs, bytes, settings, now, moment, resolve, reject });
        outbox.admit(call);
        this.#alarm.ringBy(call.deadline);
        outbox.add(call, company, environment.now());
      });
    } finally {
      this.#release(held);
    }
  }

  #hold(held: Held): Held {
    this.#held.add(held);
    this.#heldBytes += held.bytes;
    this.#tell();
    return held;
  }

  #release(held: Held): void {
    this.#held.delete(held);
    this.#heldBytes -= held.bytes;
    this.#tell();
  }

  /** Goes on with what an earlier page has left; what there is no room for is over. */
  #resume(outbox: Outbox, { calls, envelope, ...kept }: KeptEnvelope): Batch {
    const { environment, recovered } = this.#parts;
    const now = environment.now();
    const message = Buffer.from(envelope.message);
    const bytesMost = BYTES_MOST - this.#heldBytes - message.length;
    const hasRoom = this.#held.size + calls.length <= CALLS_MOST && bytesMost >= 0;
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
      // The clock may have been set back.
      const timeout = hasRoom ? Math.max(0, Math.min(until - environment.wallClock(), before.timeout)) : 0;
      return new PendingCall({
        shape: "value",
        inputs,
        bytes,
        settings: { ...before, timeout },
        now,
        moment: ++this.#moment,
        resolve: (value) => end(value, null),
        reject: (error) => end(null, error as DbsyncError),
      });
    });
    return outbox.resume(pending, { ...kept, envelope: { ...envelope, message } }, now);
  }

  async #open(): Promise<Outbox> {
    const { settings, environment, key } = this.#parts;
    const { servers: addresses } = settings;
    const sealer = await WebSealer.of(await key);
    this.#listening = new Listening(settings, environment, sealer);
    this.#outbox = new Outbox({
      environment,
      addresses,
      sealer,
      outboxOwner: this,
      alarm: this.#alarm,
      isSession: true,
      cluster: bytesOfHex(settings.cluster, HASH_BYTES) ?? "",
      versions: "2",
      isPatient: true,
      version1: addresses.map(() => NO_VERSION_1),
      keepalive: true,
      trace: null,
      warn: (warning: string) => console.warn(warning),
    });
    const outbox = this.#outbox;
    const { keyName } = this.#parts;
    if (keyName !== null && !this.#isClosed)
      this.#kept = new KeptEnvelopes(
        // Pages of one site may speak with several clusters by one key.
        keyName + settings.cluster,
        () => environment.wallClock() - environment.now(),
        (kept) => this.#resume(outbox, kept),
        () => this.#tell(),
      );
    return outbox;
  }

  async #heard(): Promise<Listening> {
    await this.#opened;
    return this.#listening as Listening;
  }

  #tick(): void {
    const outbox = this.#outbox;
    if (outbox === null || this.#isClosed) return;
    const now = this.#parts.environment.now();
    outbox.tick(now);
    const next = outbox.nextTick();
    if (next < Number.POSITIVE_INFINITY) this.#alarm.ringBy(next, now);
    this.#tell();
  }

  #tell(): void {
    if (this.#isTelling) return;
    this.#isTelling = true;
    queueMicrotask(() => {
      this.#isTelling = false;
      this.#parts.changed();
    });
  }
}

const sizeOf = (bytes: PendingCall["bytes"]): number =>
  typeof bytes === "string" ? bytes.length : bytes.reduce((sum, { length }) => sum + length, 0);
