/**
 * The connections to a RESP server that clients share, one for each kind of client, and whether it is known for each when what it has read
 * is changed: told by the server, or not at all, so that what was read is kept for a short time only.
 */
import type { Logger } from "pino";
import { BackOff } from "../../../client/shared/back-off.js";
import type { ByteString } from "../../../protocol/byte-string.js";
import type { Environment } from "../../../serving/process/environment.js";
import type { UpstreamLimits } from "../../upstream/limits.js";
import type { UpstreamPlace } from "../../upstream/place.js";
import { ChangedKeys, trackingFor } from "./changed-keys.js";
import { type ConnectionState, keyOf, NEW_STATE, withoutDatabase } from "./connection-state.js";
import { type LinkFailure, RespLink } from "./resp-link.js";

/** Users, protocols and databases that clients may choose; each is a connection to the server, and one to listen. */
const KINDS_MOST = 256;
/** Milliseconds before the server is asked again to tell of changes. */
const LISTEN_AGAIN_MS = 500;

export interface SharedLinksParts {
  readonly place: UpstreamPlace;
  readonly limits: UpstreamLimits;
  readonly environment: Environment;
  readonly log: Logger;
  /** null: any key. */
  readonly changed: (keys: readonly ByteString[] | null) => void;
}

/**
 * told: the server tells of changes. untold: it has no such messages. unknown: nothing may be kept for now.
 */
export type Freshness = "told" | "untold" | "unknown";

export interface SharedLink {
  readonly link: RespLink;
  /** Its state, as a text. */
  readonly key: ByteString;
  freshness: Freshness;
  /** Of clients. */
  users: number;
  /** Is told the answers to the commands of the state. */
  prepared: ((replies: readonly ByteString[]) => void) | null;
  listening: ChangedKeys | null;
  cancel: (() => void) | null;
}

export class SharedLinks {
  readonly #parts: SharedLinksParts;
  readonly #links = new Map<ByteString, SharedLink>();
  readonly #backOff = new BackOff();
  #isStopped = false;
  #cancelRetry: (() => void) | null = null;
  /** What the server, or a connection to it, was given up for; null: nothing yet. */
  lastFailure: string | null = null;

  constructor(parts: SharedLinksParts) {
    this.#parts = parts;
  }

  /** Why the server is left alone for now; null: it may be tried. */
  get refusal(): LinkFailure | null {
    const failure = this.#backOff.refusal(this.#parts.environment.uptime());
    return failure === null ? null : { isUnseen: true, detail: failure.detail };
  }

  /** Whether the server answers, as far as is known. */
  get isUp(): boolean {
    return this.find(NEW_STATE)?.link.isReady ?? false;
  }

  /** Whether another kind of clients may share no connection, as there are too many kinds. */
  get isFull(): boolean {
    return this.#links.size >= KINDS_MOST;
  }

  /** Whether the server tells of all that changes what is kept. */
  get isTold(): boolean {
    for (const { freshness } of this.#links.values()) if (freshness !== "told") return false;
    return this.#links.size > 0;
  }

  find(state: ConnectionState): SharedLink | undefined {
    return this.#links.get(keyOf(state));
  }

  /** The link of this state, which is opened if there is none. */
  of(state: ConnectionState): SharedLink {
    const key = keyOf(state);
    const known = this.#links.get(key);
    if (known !== undefined) return known;
    const { place, limits, environment } = this.#parts;
    const link = new RespLink({
      ...{ place, limits, environment, state },
      prepared: (replies) => shared.prepared?.(replies),
      gone: (_, failure) => this.#lost(shared, failure),
    });
    const shared: SharedLink = {
      ...{ link, key, freshness: "unknown" as const, users: 0 },
      ...{ prepared: null, listening: null, cancel: null },
    };
    this.#links.set(key, shared);
    this.#listen(shared, state);
    return shared;
  }

  /** One client fewer is of this kind. */
  leave(shared: SharedLink): void {
    shared.users--;
    this.#closeUnused(shared);
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancelRetry?.();
    for (const { link } of [...this.#links.values()]) link.close("closed");
  }

  /** Behind what still waits for its answers. */
  #closeUnused(shared: SharedLink): void {
    const { users, key, link } = shared;
    if (users > 0 || key === keyOf(NEW_STATE) || link.isGone) return;
    if (link.waiting === 0) link.close("unused");
    else link.send(["PING"], { answered: () => this.#closeUnused(shared), failed() {} });
  }

  #listen(shared: SharedLink, state: ConnectionState): void {
    const { place, limits, environment, changed } = this.#parts;
    shared.listening = new ChangedKeys({
      ...{ place, limits, environment, changed, state: withoutDatabase(state) },
      unknown: () => this.#settle(shared, "untold"),
      ready: (id) =>
        shared.link.send(trackingFor(id), {
          answered: (reply) => this.#settle(shared, reply.startsWith("+") ? "told" : "untold"),
          failed() {},
        }),
      lost: () => {
        shared.freshness = "unknown";
        changed(null);
        if (shared.link.isGone || this.#isStopped) return;
        shared.cancel = environment.setTimer(LISTEN_AGAIN_MS, () => this.#listen(shared, state));
      },
    });
  }

  #settle(shared: SharedLink, freshness: Freshness): void {
    shared.freshness = freshness;
    this.#backOff.succeeded();
    if (freshness === "told") return;
    shared.listening?.close();
    const { log, place } = this.#parts;
    log.info({ server: place.text }, "the server does not tell of changed keys: answers are kept by time");
  }

  /** Of new clients' connections one is there whether anybody comes or not: so it is known whether the server is. */
  #retry({ detail }: LinkFailure): void {
    this.lastFailure = detail;
    this.#cancelRetry?.();
    this.#cancelRetry = this.#parts.environment.setTimer(LISTEN_AGAIN_MS, () => this.of(NEW_STATE));
  }

  #lost(shared: SharedLink, failure: LinkFailure): void {
    const { environment, log, place, changed } = this.#parts;
    shared.freshness = "unknown";
    if (this.#links.get(shared.key) === shared) this.#links.delete(shared.key);
    shared.cancel?.();
    shared.listening?.close();
    // The server tells of nothing any more that was read on it.
    changed(null);
    if (this.#isStopped) return;
    if (shared.key === keyOf(NEW_STATE)) this.#retry(failure);
    // Of a wrong password others need not hear.
    if (shared.users === 0 || shared.link.isRefused) return;
    const { detail } = failure;
    this.#backOff.failed({ stage: "connect", detail }, environment.uptime(), environment.random());
    log.warn({ server: place.text, detail }, `Erreur connexion à ${place.text}`);
  }
}
