/**
 * The web page of a client, and its clock, timers and WebSockets: it loads the key and the outbox, limits and lists the
 * unanswered calls, and stores those that are signed. Calls wait for each daemon that is unreachable, until their
 * deadlines. The modules for version 2 and for IndexedDB are loaded when first used.
 */
import type { ByteString } from "../../protocol/byte-string.js";
import { bytesOfHex, HASH_BYTES, NONCE_BYTES } from "../../protocol/version-2/envelope.js";
import { type CallParts, sizeOf } from "../calls/pending-call.js";
import { type ClientHost, loaded, type StartCall } from "../outbox-client.js";
import type { CallSettings } from "../settings/call-options.js";
import type { ClientSocket, Environment, SocketEvents, Timer } from "../shared/client-environment.js";
import { tooLong } from "../shared/command-labels.js";
import { DbsyncError } from "../shared/errors.js";
import type { Seal, Sealer } from "../shared/sealer.js";
import type { Address, Endpoint } from "../shared/server-list.js";
import type { CallBatch } from "../version-2/call-batch.js";
import type { Outbox, OutboxOwner } from "../version-2/outbox.js";
import type { BrowserDaemon, Recovered, Waiting } from "./browser-client.js";
import type { StoredEnvelopes, StoringPage } from "./stored-envelopes.js";
import { publicKeyPem, type WebKey } from "./web-key.js";

/** The maximum number of unanswered calls, and the maximum size of their commands in bytes. */
const CALLS_MAX = 1000;
const BYTES_MAX = 4 * 1024 * 1024;

export interface WebSettings extends CallSettings {
  readonly servers: readonly Address[];
  /** The cluster's id in hexadecimal digits, or "" to query the daemons. */
  readonly cluster: string;
  /** The name under which the key is stored, or null if it is not stored. */
  readonly keyName: string | null;
  readonly changed: () => void;
  readonly recovered: (end: Recovered) => void;
}

export class WebPage implements ClientHost, OutboxOwner, StoringPage {
  readonly isBusy = false;
  readonly environment: Environment;
  readonly recovered: (end: Recovered) => void;
  readonly #settings: WebSettings;
  readonly #key: Promise<WebKey>;
  /** The client that the page belongs to, or null before `open`. */
  #client: Parameters<ClientHost["open"]> | null = null;
  /** The outbox, or null if the key or the module is not loaded yet. */
  #outbox: Outbox | null = null;
  /** The outbox that is being loaded or has been loaded, or null if the last attempt to load it failed. */
  #opened: Promise<Outbox> | null = null;
  /** The store of signed envelopes, or null if there is none or it is not opened yet. */
  #storedEnvelopes: Promise<StoredEnvelopes | null> | null = null;
  /** Returns the reason why signed envelopes are not stored, or null if they are stored. */
  #storeProblem: () => string | null = () => null;
  readonly #held = new Set<Waiting>();
  #heldBytes = 0;
  #isClosed = false;
  #isNotifying = false;

  constructor(settings: WebSettings, environment: Environment, key: Promise<WebKey>) {
    this.#settings = settings;
    this.environment = environment;
    this.recovered = settings.recovered;
    this.#key = key;
  }

  open(...client: Parameters<ClientHost["open"]>): void {
    this.#client = client;
    // If this attempt fails, each call tries again and reports its own failure.
    this.#open().catch(() => {});
  }

  async sealer(): Promise<Sealer> {
    return await WebSealer.of(await this.#key);
  }

  /** Returns the public key in the form that `dbsync keys add` accepts. */
  async publicKeyPem(): Promise<string> {
    return publicKeyPem(await this.#key);
  }

  get outbox(): readonly Waiting[] {
    return [...this.#held];
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

  /** Tries unreachable daemons immediately, because the network may be back. */
  retry(): void {
    if (this.#isClosed) return;
    const now = this.environment.now();
    if (this.#held.size > 0) this.#outbox?.fleet.greet(now, true);
    this.#withStore((store) => store.adopt());
    this.#client?.[0].wakeBy(now);
  }

  promise<Result>(start: StartCall<Result>): Promise<Result> {
    return new Promise(start);
  }

  /** Counts an unanswered call until it settles. @throws DbsyncError `busy` */
  accept(parts: CallParts): CallParts {
    const { inputs, bytes, settings, resolve, reject } = parts;
    const size = sizeOf(bytes);
    if (size > BYTES_MAX) throw new DbsyncError("bad-command", tooLong(size, BYTES_MAX));
    if (!this.hasRoomFor(1, size)) throw new DbsyncError("busy", `${this.#held.size} calls wait`);

    const since = this.environment.wallClock();
    const until = since + settings.timeout;
    const release = this.hold({ command: inputs, since, until, isRecovered: false }, size);
    return {
      ...parts,
      resolve(result) {
        release();
        resolve(result);
      },
      // The outbox passes the batch to `done` after this, which begins to delete its envelope.
      reject: (problem) =>
        queueMicrotask(async () => {
          const reported = await this.#reported(problem);
          release();
          reject(reported);
        }),
    };
  }

  hasRoomFor(calls: number, bytes: number): boolean {
    return this.#held.size + calls <= CALLS_MAX && this.#heldBytes + bytes <= BYTES_MAX;
  }

  hold(call: Waiting, bytes: number): () => void {
    this.#held.add(call);
    this.#heldBytes += bytes;
    this.notifyChanged();
    return () => {
      this.#held.delete(call);
      this.#heldBytes -= bytes;
      this.notifyChanged();
    };
  }

  waitForOutbox(ms: number): Promise<Outbox> {
    return new Promise((resolve, reject) => {
      const late = () => reject(new DbsyncError("all-failed", `not loaded within ${ms} ms`));
      const timer = this.environment.setTimer(ms, late);
      this.#open().then(resolve, reject).finally(timer.cancel);
    });
  }

  signed(batch: CallBatch): void {
    this.#withStore((store) => store.save(batch));
  }

  done(batch: CallBatch): void {
    this.#withStore((store) => store.forget(batch));
  }

  check(): void {}

  added(): void {}

  settled(): void {}

  started(): void {
    this.notifyChanged();
  }

  ended(): void {
    this.notifyChanged();
  }

  tick(now: number): number {
    this.#outbox?.tick(now);
    this.notifyChanged();
    return this.#outbox?.nextTick() ?? Number.POSITIVE_INFINITY;
  }

  /** Calls `changed`, once for several changes. */
  notifyChanged(): void {
    if (this.#isNotifying) return;
    this.#isNotifying = true;
    queueMicrotask(() => {
      this.#isNotifying = false;
      this.#settings.changed();
    });
  }

  close(code: "closed" | "reset", now: number): void {
    this.#isClosed = true;
    this.#outbox?.close(code, now);
    this.#withStore((store) => store.close());
  }

  /**
   * Returns the error to report for a call. The next page would send an envelope that is still stored, so a call counts
   * as not applied only once its envelope is deleted.
   */
  async #reported(problem: Error): Promise<Error> {
    if (!(problem instanceof DbsyncError) || problem.effect === "unknown") return problem;
    const store = await this.#storedEnvelopes;
    if (!store || (await store.forgotten())) return problem;
    const outcomes = problem.outcomes.map((outcome) => ({ ...outcome, effect: "unknown" as const }));
    return new DbsyncError(problem.code, "its stored envelope was not deleted", { outcomes, cause: problem });
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
    const { servers: addresses, cluster, keyName } = this.#settings;
    const [timer, opened] = this.#client as Parameters<ClientHost["open"]>;

    const loading = loaded(import("../version-2/outbox.js"));
    const storing = keyName === null ? null : loaded(import("./stored-envelopes.js"));
    // If the key cannot be loaded, that error is reported. If an import fails meanwhile, its rejection must not count
    // as unhandled.
    Promise.allSettled([loading, storing]);

    const sealer = await this.sealer();
    const { Outbox } = await loading;
    const outbox = new Outbox({
      owner: this,
      environment: this.environment,
      timer,
      sealer,
      settings: {
        addresses,
        cluster: bytesOfHex(cluster, HASH_BYTES) ?? "",
        versions: "2",
        keepalive: true,
        isPatient: true,
        isSession: true,
      },
      legacyLinks: [],
      trace: null,
      warn: (warning: string) => console.warn(warning),
    });

    this.#outbox = outbox;
    opened(outbox);
    if (storing !== null) this.#storedEnvelopes = this.#openStore(storing, outbox);
    return outbox;
  }

  async #openStore(
    storing: Promise<typeof import("./stored-envelopes.js")>,
    outbox: Outbox,
  ): Promise<StoredEnvelopes | null> {
    const { keyName, cluster } = this.#settings;
    try {
      const { StoredEnvelopes } = await storing;
      if (this.#isClosed) return null;
      // Pages of one site may use one key for several clusters.
      const name = `${keyName}${cluster}`;
      const store = new StoredEnvelopes(name, this, outbox);
      this.#storeProblem = () => store.problem;
      return store;
    } catch (problem) {
      this.#storeProblem = () => (problem as Error).message;
      this.notifyChanged();
      return null;
    }
  }

  /** Calls `act` with the store once it is loaded, in the order of the calls. Does nothing if there is no store. */
  #withStore(act: (store: StoredEnvelopes) => void): void {
    this.#storedEnvelopes?.then((store) => store && act(store));
  }
}

/** The signer of envelopes with WebCrypto, which is asynchronous. */
class WebSealer implements Sealer {
  readonly keyId: ByteString;
  readonly seal = null;
  readonly #key: WebKey["privateKey"];

  private constructor(keyId: ByteString, { privateKey }: WebKey) {
    this.keyId = keyId;
    this.#key = privateKey;
  }

  static async of(key: WebKey): Promise<WebSealer> {
    return new WebSealer(await sha256(key.spki), key);
  }

  nonce(): ByteString {
    return Buffer.from(crypto.getRandomValues(new Uint8Array(NONCE_BYTES))).toString("latin1");
  }

  async sealAsync(bytes: Buffer): Promise<Seal> {
    const data = bytes as Uint8Array<ArrayBuffer>;
    const [signature, id] = await Promise.all([
      crypto.subtle.sign(this.#key.algorithm.name, this.#key, data),
      sha256(data),
    ]);
    return { signature: Buffer.from(signature), id };
  }
}

async function sha256(bytes: ArrayBuffer | Uint8Array<ArrayBuffer>): Promise<ByteString> {
  return Buffer.from(await crypto.subtle.digest("SHA-256", bytes)).toString("latin1");
}

/** The subprotocol of `--ws`. */
const PROTOCOL = "dbsync2";

/** The part of WebSocket that the client uses, so that tests can replace it. */
interface Messages {
  binaryType: string;
  readonly bufferedAmount: number;
  onopen: ((event: never) => void) | null;
  onmessage: ((event: { readonly data: ArrayBuffer }) => void) | null;
  onclose: ((event: { readonly code: number }) => void) | null;
  onerror: ((event: never) => void) | null;
  send(bytes: Uint8Array<ArrayBuffer>): void;
  close(): void;
}

export type MakeSocket = (url: string, protocol: string) => Messages;

export const browserSocket: MakeSocket = (url, protocol) => new WebSocket(url, protocol) as Messages;

/** The machine counts as having slept if the wall clock has advanced this much further than performance.now(). */
const SLEEP_MS = 1_000;

/** The environment of a client in a browser: its clock, its timers, and WebSockets. */
export class WebEnvironment implements Environment {
  readonly random = Math.random;
  /** Milliseconds that the machine has slept: performance.now() stops during sleep, and the daemons' clocks do not. */
  #slept = 0;
  #ahead = Number.POSITIVE_INFINITY;
  readonly #makeSocket: MakeSocket;

  constructor(makeSocket: MakeSocket) {
    this.#makeSocket = makeSocket;
  }

  now(): number {
    const awake = performance.now();
    const ahead = Date.now() - awake;
    if (ahead > this.#ahead + SLEEP_MS) this.#slept += ahead - this.#ahead;
    this.#ahead = ahead;
    return awake + this.#slept;
  }

  wallClock(): number {
    return Date.now();
  }

  soon(run: () => void): void {
    queueMicrotask(run);
  }

  setTimer(ms: number, fire: () => void): Timer {
    const timeout = setTimeout(fire, ms);
    return { cancel: () => clearTimeout(timeout), hold() {} };
  }

  openSocket({ text = "" }: Endpoint, events: SocketEvents): ClientSocket {
    const socket = this.#makeSocket(text, PROTOCOL);
    socket.binaryType = "arraybuffer";
    socket.onopen = () => events.opened();
    socket.onmessage = ({ data }) => events.received(Buffer.from(data));
    // Browsers do not report to pages why a connection was closed.
    socket.onclose = ({ code }) => events.closed({ message: `WebSocket closed (${code})` });
    socket.onerror = () => {};
    return {
      write: (bytes) => socket.send(bytes as Uint8Array<ArrayBuffer>),
      unsentBytes: () => socket.bufferedAmount,
      destroy() {
        socket.onopen = socket.onmessage = socket.onclose = null;
        socket.close();
      },
    };
  }
}
