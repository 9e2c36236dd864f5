/**
 * The process of a client in Node: it opens the outbox, keeps the process alive while calls are unsettled, and traces
 * calls.
 */
import { bytesOfHex, HASH_BYTES } from "../protocol/version-2/envelope.js";
import { isTraceparent } from "../protocol/version-2/traceparent.js";
import { type CallMessage, isTraced, tracedCall } from "./calls/diagnostics-channels.js";
import type { CallParts } from "./calls/pending-call.js";
import type { ClientHost, Method, StartCall } from "./outbox-client.js";
import type { CallSettings } from "./settings/call-options.js";
import type { Settings } from "./settings/client-settings.js";
import { type Signing, sealerOf } from "./settings/signing-key.js";
import type { Environment } from "./shared/client-environment.js";
import type { CommandInput } from "./shared/command-input.js";
import { commandsLabel } from "./shared/command-labels.js";
import { DELIVERY_LINGER_MS } from "./shared/connections.js";
import type { DeadlineTimer } from "./shared/deadline-timer.js";
import type { FrameTracer } from "./shared/frame-tracer.js";
import type { Sealer } from "./shared/sealer.js";
import { type LegacyLink, makeLegacyLinks } from "./version-1/legacy-link.js";
import { Outbox, type OutboxOwner } from "./version-2/outbox.js";

/** The options of a client that do not come from the caller's options. */
export interface HostOptions {
  /** Whether reads must see the client's acknowledged writes; default false. */
  readonly isSession?: boolean;
  readonly trace?: FrameTracer | null;
  /** Receives warnings. */
  readonly warn?: (warning: string) => void;
  /** Whether the errors of calls have the caller's stack; default false. */
  readonly isExplained?: boolean;
}

export class NodeHost implements ClientHost, OutboxOwner {
  readonly environment: Environment;
  readonly #settings: Settings;
  readonly #sealer: Sealer;
  readonly #options: HostOptions;
  /** The versions for daemons whose address names none, or null if they are not set. */
  readonly #versions: Settings["versions"];
  readonly #legacyLinks: readonly LegacyLink[];
  #timer: DeadlineTimer | null = null;
  #outbox: Outbox | null = null;
  /** The number of calls that have not settled. */
  #unsettled = 0;
  /** The number of deliveries and sendings that have not ended, including those of settled calls. */
  #deliveries = 0;
  /** The time, once all calls have settled, at which connections stop keeping the process alive. */
  #lingerUntil = Number.POSITIVE_INFINITY;

  constructor(settings: Settings, environment: Environment, signing: Signing, options: HostOptions) {
    this.environment = environment;
    this.#settings = settings;
    this.#sealer = sealerOf(signing.signer);
    this.#options = options;
    // An unsigned call can be replayed in either version, so version 1 needs no permission.
    this.#versions = settings.versions ?? (signing.signer === null ? "1,2" : null);
    const { trace = null } = options;
    this.#legacyLinks = makeLegacyLinks(settings.servers, this.#versions, environment, signing, trace);
  }

  open(timer: DeadlineTimer, opened: (outbox: Outbox) => void): void {
    const { environment } = this;
    const { servers: addresses, cluster, keepalive } = this.#settings;
    const { isSession = false, trace = null, warn = () => {} } = this.#options;
    this.#timer = timer;

    this.#outbox = new Outbox({
      owner: this,
      environment,
      timer,
      sealer: this.#sealer,
      settings: {
        addresses,
        cluster: bytesOfHex(cluster, HASH_BYTES) ?? "",
        versions: this.#versions,
        keepalive,
        isPatient: false,
        isSession,
      },
      legacyLinks: this.#legacyLinks,
      trace,
      warn,
    });
    opened(this.#outbox);
  }

  async waitForOutbox(): Promise<Outbox> {
    return this.#outbox as Outbox;
  }

  async sealer(): Promise<Sealer> {
    return this.#sealer;
  }

  get isBusy(): boolean {
    return this.#deliveries > 0;
  }

  /** Traces the call if `dbsync:call` has subscribers, and adds the caller's stack to its error if required. */
  promise<Result>(
    start: StartCall<Result>,
    commands: readonly CommandInput[],
    method: Method,
  ): Promise<Result> {
    const result = isTraced() ? this.#traced(start, commands) : new Promise(start);
    return this.#options.isExplained === true ? fromCaller(result, method) : result;
  }

  accept(parts: CallParts): CallParts {
    return parts;
  }

  check(inputs: CallParts["inputs"], settings: CallSettings, now: number): void {
    if (this.#outbox?.fleet.isLegacy(now, !this.isBusy)) this.#legacyLinks[0]?.check(inputs, settings);
  }

  added(): void {
    this.#unsettled++;
    this.#lingerUntil = Number.POSITIVE_INFINITY;
    this.#timer?.hold(true);
  }

  settled(calls: number): void {
    this.#unsettled -= calls;
    if (this.#unsettled > 0) return;
    if (this.#deliveries === 0) this.#timer?.hold(false);
    const now = this.environment.now();
    this.#lingerUntil = now + DELIVERY_LINGER_MS;
    this.#timer?.wakeBy(this.#lingerUntil, now);
  }

  started(sendings: number): void {
    this.#deliveries += sendings;
  }

  ended(): void {
    this.#deliveries--;
    if (this.#deliveries === 0 && this.#unsettled === 0) this.#timer?.hold(false);
  }

  signed(): void {}

  done(): void {}

  tick(now: number): number {
    for (const link of this.#legacyLinks) link.tick(now);
    this.#outbox?.tick(now);
    if (this.#lingerUntil <= now) this.#releaseProcess(now);
    let next = Math.min(this.#lingerUntil, this.#outbox?.nextTick() ?? Number.POSITIVE_INFINITY);
    for (const link of this.#legacyLinks) next = Math.min(next, link.nextTick());
    return next;
  }

  close(code: "closed" | "reset", now: number): void {
    this.#outbox?.close(code, now);
    for (const link of this.#legacyLinks) link.close(now);
  }

  /** Stops keeping the process alive, because all calls have settled. */
  #releaseProcess(now: number): void {
    this.#timer?.hold(false);
    this.#outbox?.fleet.releaseProcess(now);
    // If the process continues, a daemon still receives what is queued for it, unless it cannot be reached now.
    let next = this.#deliveries > 0 ? now + DELIVERY_LINGER_MS : Number.POSITIVE_INFINITY;
    for (const link of this.#legacyLinks) next = Math.min(next, link.releaseProcess(now));
    this.#lingerUntil = next;
  }

  /** Traces a call. A subscriber may set its trace context. */
  #traced<Result>(start: StartCall<Result>, commands: readonly CommandInput[]): Promise<Result> {
    const servers = this.#settings.servers.map(({ text }) => text);
    const message: CallMessage = { command: commandsLabel(commands), servers };
    return tracedCall(
      message,
      () =>
        new Promise((resolve, reject) => {
          const { traceparent } = message;
          start(resolve, reject, isTraceparent(traceparent) ? traceparent : undefined);
        }),
    );
  }
}

/**
 * Adds the stack of the caller to the error of a call. An answer arrives in a separate task, whose stack does not
 * contain the caller. Recording the stack of each call is expensive, so only clients with the option `debug` do it.
 * @param below  the function whose caller is at the top of the stack
 */
function fromCaller<Result>(result: Promise<Result>, below: Method): Promise<Result> {
  const caller: { stack?: string } = {};
  Error.captureStackTrace(caller, below);
  return result.catch((error: Error) => {
    const frames = (caller.stack ?? "").split("\n").slice(1);
    error.stack = [`${error.name}: ${error.message}`, ...frames].join("\n");
    throw error;
  });
}
