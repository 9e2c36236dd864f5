/**
 * Stores a page's signed, unanswered envelopes in IndexedDB, so that they outlive the page. The next page of the site
 * with the same key takes them over. Each open page holds its own lock. While the page is open, the lock protects the
 * page's envelopes. After the page has closed, the lock ensures that exactly one other page takes them over.
 */

import { PendingCall, sizeOf } from "../calls/pending-call.js";
import type { SignedEnvelope } from "../calls/sending.js";
import type { CallSettings } from "../settings/call-options.js";
import type { EnvelopeOptions } from "../settings/header-options.js";
import type { Environment } from "../shared/client-environment.js";
import { inputBytes } from "../shared/command-bytes.js";
import type { CommandInput } from "../shared/command-input.js";
import type { CommandKind } from "../shared/commands.js";
import { DbsyncError } from "../shared/errors.js";
import type { CallBatch } from "../version-2/call-batch.js";
import type { Outbox } from "../version-2/outbox.js";
import type { BrowserReply, Recovered, Waiting } from "./browser-client.js";
import { IndexedStore } from "./indexed-store.js";

/** The time for which a failed call waits until its envelope is deleted. After it, the effect is unknown. */
const FORGET_MS = 1_000;

/** The number of the format of a stored envelope. */
const FORMAT = 1;

/** A stored envelope. Times are milliseconds since 1970. */
export interface StoredEnvelope {
  readonly format: typeof FORMAT;
  /** The kind of the commands. The name `company` is part of the stored format. */
  readonly company: CommandKind;
  readonly options: EnvelopeOptions | null;
  readonly envelope: Omit<SignedEnvelope, "message"> & { readonly message: Uint8Array<ArrayBuffer> };
  readonly calls: readonly StoredCall[];
}

export interface StoredCall {
  readonly inputs: CommandInput | readonly CommandInput[];
  readonly settings: CallSettings;
  readonly since: number;
  readonly until: number;
}

interface Locks {
  request(name: string, options: object, held: () => unknown): Promise<unknown>;
}

/** The part of a web page that the store uses. */
export interface StoringPage {
  readonly environment: Environment;
  /** Whether further calls with this number of bytes are within the page's limits. */
  hasRoomFor(calls: number, bytes: number): boolean;
  /** Counts an unanswered call. @returns a function that is called when it has settled */
  hold(call: Waiting, bytes: number): () => void;
  /** Receives the result of a call of an earlier page. */
  readonly recovered: (end: Recovered) => void;
  /** Called when `problem` has changed. */
  notifyChanged(): void;
}

const DATABASE = "dbsync-outbox";
const STORE = "envelopes";

export class StoredEnvelopes {
  /** The reason why an envelope could not be stored, or null if all were stored. */
  problem: string | null = null;
  readonly #page: StoringPage;
  readonly #outbox: Outbox;
  readonly #prefix: string;
  readonly #owner = crypto.randomUUID();
  readonly #names = new Map<CallBatch, string>();
  /** The deletions in progress. They resolve with whether they have succeeded. */
  readonly #deleting = new Set<Promise<boolean>>();
  #last = 0;
  /** The ids of the pages that this page waits for: it takes over their envelopes when they close. */
  readonly #awaited = new Set<string>();
  /** The channel on which a page notifies other pages that it has stored an envelope. */
  #channel: InstanceType<typeof BroadcastChannel> | null = null;
  readonly #closing = new AbortController();
  /** The store, or null if it could not be opened. */
  readonly #store: Promise<IndexedStore<StoredEnvelope> | null>;

  /**
   * Opens the store.
   * @param name  the name of the key
   * @param outbox  receives the envelopes of earlier pages
   */
  constructor(name: string, page: StoringPage, outbox: Outbox) {
    this.#page = page;
    this.#outbox = outbox;
    this.#prefix = `${encodeURIComponent(name)}/`;
    this.#awaited.add(this.#owner);
    this.#store = this.#open().catch(this.#failed);
    this.adopt();
  }

  /** Stores an envelope until `forget`. Reads are not stored, because their results are useless later. */
  save(batch: CallBatch): void {
    if (batch.isRead) return;
    const name = this.#names.get(batch) ?? this.#newName();
    this.#names.set(batch, name);
    this.#do(async (store) => {
      if (!this.#names.has(batch)) return;
      await store.put(name, this.#storedEnvelope(batch));
      this.#channel?.postMessage(this.#owner);
    });
  }

  forget(batch: CallBatch): void {
    const name = this.#names.get(batch);
    if (name === undefined) return;
    this.#names.delete(batch);
    const deleting = this.#do((store) => store.delete(name)).then((problem) => problem === null);
    this.#deleting.add(deleting);
    deleting.then(() => this.#deleting.delete(deleting));
  }

  /** Waits until no page can find the envelopes that were forgotten before. @returns false if one may still be found */
  forgotten(): Promise<boolean> {
    return new Promise((resolve) => {
      const timer = this.#page.environment.setTimer(FORGET_MS, () => resolve(false));
      Promise.all(this.#deleting)
        .then((deleted) => resolve(!deleted.includes(false)))
        .finally(() => timer.cancel());
    });
  }

  /** Takes over the envelopes of closed pages, and those of open pages when they close. */
  adopt(): void {
    this.#do(async (store) => {
      for (const name of await store.names(this.#prefix))
        this.#await(store, name.slice(this.#prefix.length, name.lastIndexOf("/")));
    });
  }

  close(): void {
    this.#do((store) => {
      this.#closing.abort();
      this.#channel?.close();
      store.close();
    });
  }

  #await(store: IndexedStore<StoredEnvelope>, owner: string): void {
    if (this.#awaited.has(owner)) return;
    this.#awaited.add(owner);
    this.#hold(owner, () => this.#adopt(store, owner)).catch(this.#failed);
  }

  async #open(): Promise<IndexedStore<StoredEnvelope>> {
    const store = await IndexedStore.open<StoredEnvelope>(DATABASE, STORE);
    await new Promise<void>((resolve, reject) => {
      const closed = new Promise((end) => this.#closing.signal.addEventListener("abort", end));
      const held = () => {
        resolve();
        return closed;
      };
      this.#hold(this.#owner, held).catch(reject);
    });

    this.#channel = new BroadcastChannel(this.#prefix);
    this.#channel.onmessage = ({ data }: { data: string }) => this.#await(store, data);
    return store;
  }

  async #hold(owner: string, held: () => unknown): Promise<void> {
    const { locks } = (globalThis as unknown as { navigator: { locks?: Locks } }).navigator;
    if (locks === undefined) throw new DbsyncError("bad-key", "no Web Locks");
    // The promise rejects if the signal aborts the request.
    await locks.request(`${DATABASE}/${owner}`, { signal: this.#closing.signal }, held).catch((problem) => {
      if (!this.#closing.signal.aborted) throw problem;
    });
  }

  async #adopt(store: IndexedStore<StoredEnvelope>, owner: string): Promise<void> {
    this.#awaited.delete(owner);
    if (this.#closing.signal.aborted) return;

    const found = await store.rename(`${this.#prefix}${owner}/`, this.#isReadable, this.#newName);
    if (found.size > 0) this.#channel?.postMessage(this.#owner);
    for (const [name, stored] of found) {
      // The client was closed meanwhile. Another page takes over the envelopes.
      if (this.#closing.signal.aborted) return;
      try {
        const batch = this.#resume(stored);
        this.#names.set(batch, name);
        if (batch.unsettled === 0) this.forget(batch);
      } catch (problem) {
        // The envelope is damaged. If it remained, every page would fail on it and on the envelopes after it.
        this.#failed(problem);
        await store.delete(name);
      }
    }
  }

  /** Continues the calls of an earlier page. Calls above the limits end immediately. */
  #resume({ company, options, envelope, calls }: StoredEnvelope): CallBatch {
    const page = this.#page;
    const { environment } = page;
    const now = environment.now();
    const message = Buffer.from(envelope.message);
    const hasRoom = page.hasRoomFor(calls.length, message.length);
    const pending = calls.map(({ inputs, settings: before, since, until }) => {
      const bytes = inputBytes(inputs, before.envelope?.multi === true);
      const waiting = { command: inputs, since, until };
      const release = page.hold({ ...waiting, isRecovered: true }, sizeOf(bytes));
      const end = (value: BrowserReply, error: DbsyncError | null) => {
        release();
        queueMicrotask(() => page.recovered({ ...waiting, value, error }));
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
    return this.#outbox.resume(pending, batch, now);
  }

  /** Whether this page reads the format. An envelope of another one stays for a page that does. */
  readonly #isReadable = ({ format }: { readonly format?: unknown }): boolean => {
    if (format !== FORMAT)
      this.#failed(
        `a stored envelope has format ${format}, and this page reads only format ${FORMAT}: it was not changed; load the page that stored it`,
      );
    return format === FORMAT;
  };

  readonly #newName = (): string => `${this.#prefix}${this.#owner}/${++this.#last}`;

  #storedEnvelope({ commandKind, options, envelope, calls }: CallBatch): StoredEnvelope {
    const { at, seq, cluster, id, message } = envelope as SignedEnvelope;
    const { environment } = this.#page;
    const ahead = environment.wallClock() - environment.now();

    return {
      format: FORMAT,
      company: commandKind,
      options,
      envelope: { at, seq, cluster, id, message: new Uint8Array(message) },
      calls: calls.map(({ inputs, settings, startedAt, deadline }) => ({
        inputs,
        // IndexedDB cannot store a signal, and no later page could abort it.
        settings: { ...settings, signal: null },
        since: startedAt + ahead,
        until: deadline + ahead,
      })),
    };
  }

  /** Uses the store, if it could be opened. @returns the problem, or null if there was none */
  async #do(act: (store: IndexedStore<StoredEnvelope>) => unknown): Promise<unknown> {
    try {
      const store = await this.#store;
      if (store !== null) await act(store);
      return null;
    } catch (problem) {
      this.#failed(problem);
      return problem;
    }
  }

  readonly #failed = (problem: unknown): null => {
    this.problem = String(problem);
    this.#page.notifyChanged();
    return null;
  };
}
