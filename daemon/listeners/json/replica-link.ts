/**
 * One server of the original's kind that is to have what clients write here. Requests go one after the other; a write waits
 * for one that says nothing once, not again and again. What it misses is noted by document, and sent as a whole once it is back.
 */
import type { Logger } from "pino";
import type { ByteString } from "../../../protocol/byte-string.js";
import { placeName } from "../../place.js";
import {
  type ReplicaBounds,
  ReplicaConnection,
  type ReplicaPlace,
  SilentReplica,
} from "./replica-connection.js";
import { type Contents, type Forwarded, REQUEST_CHARS_MAX, wholeDocument } from "./replica-requests.js";

/** Milliseconds between two attempts to reach it. */
const RETRY_MS = 1_000;

export interface ReplicaLinkParts {
  readonly place: ReplicaPlace;
  readonly bounds: ReplicaBounds;
  readonly contentsOf: (document: ByteString) => Contents;
  readonly log: Logger;
}

export class ReplicaLink {
  readonly #parts: ReplicaLinkParts;
  #connection: ReplicaConnection | null = null;
  /** Documents of which it may not have all. */
  readonly #missed = new Set<ByteString>();
  /** Resolves when everything before is done. */
  #work: Promise<unknown> = Promise.resolve();
  #waiting = 0;
  #count = 0;
  /** Documents that were sent as a whole, with all writes up to a number, and whether all of it was taken. */
  readonly #whole = new Map<ByteString, { readonly upTo: number; readonly isTaken: boolean }>();
  #retry: NodeJS.Timeout | null = null;
  /** Writes do not wait for it, until it has been reached again. */
  #isSilent = false;
  /** The log says so once, until it answers again. */
  #isAway = false;
  #isStopped = false;

  constructor(parts: ReplicaLinkParts) {
    this.#parts = parts;
  }

  /** host:port */
  get name(): string {
    return placeName(this.#parts.place);
  }

  /** A write that has just been done here. @returns whether the server has confirmed it */
  forward(document: ByteString, write: Forwarded): Promise<boolean> {
    const number = ++this.#count;
    return this.#behind(() => this.#forward(document, write, number));
  }

  /** Sends one request that changes nothing. @throws Error  the connection */
  async ask(request: string): ReturnType<ReplicaConnection["ask"]> {
    return await (await this.#connected()).ask(request);
  }

  stop(): void {
    this.#isStopped = true;
    if (this.#retry !== null) clearTimeout(this.#retry);
    this.#connection?.destroy();
  }

  async #behind<A>(run: () => Promise<A>): Promise<A> {
    this.#waiting++;
    const done = this.#work.then(run);
    this.#work = done;
    const result = await done;
    if (--this.#waiting === 0) this.#whole.clear();
    return result;
  }

  async #forward(document: ByteString, write: Forwarded, number: number): Promise<boolean> {
    const whole = this.#whole.get(document);
    if (whole !== undefined && number <= whole.upTo) return whole.isTaken;
    if (this.#isStopped || this.#isSilent) {
      this.#missed.add(document);
      return false;
    }
    try {
      if (this.#missed.size > 0) {
        this.#missed.add(document);
        return await this.#sendMissed();
      }
      return await this.#send(write);
    } catch (problem) {
      this.#lost(problem);
      this.#missed.add(document);
      return false;
    }
  }

  /** @returns whether it took all of it */
  async #send({ requests, dropsFirst }: Forwarded): Promise<boolean> {
    let isTaken = true;
    for (const [place, request] of requests.entries()) {
      const answer = await (await this.#connected()).ask(request);
      this.#isAway = false;
      if (answer.get("status") === "success" || (dropsFirst && place === 0)) continue;
      isTaken = false;
      const message = String(answer.get("message"));
      this.#parts.log.warn({ replica: this.name, message }, "a JSON replica refuses what was written here");
      // One that needs more than one of its reads is several requests to it: an answer to each may still come.
      if (request.length > REQUEST_CHARS_MAX) this.#disconnect();
    }
    return isTaken;
  }

  async #sendMissed(): Promise<boolean> {
    let areTaken = true;
    for (const document of this.#missed) {
      const upTo = this.#count;
      const isTaken = await this.#send(wholeDocument(document, this.#parts.contentsOf(document)));
      this.#whole.set(document, { upTo, isTaken });
      areTaken &&= isTaken;
      this.#missed.delete(document);
    }
    this.#parts.log.info({ replica: this.name }, "a JSON replica has all documents again");
    return areTaken;
  }

  async #connected(): Promise<ReplicaConnection> {
    const { place, bounds } = this.#parts;
    this.#connection ??= await ReplicaConnection.open(place, bounds);
    this.#isSilent = false;
    return this.#connection;
  }

  #disconnect(): void {
    this.#connection?.destroy();
    this.#connection = null;
  }

  #lost(problem: unknown): void {
    const reason = problem instanceof Error ? problem.message : String(problem);
    if (!this.#isAway)
      this.#parts.log.warn(
        { replica: this.name, reason },
        "a JSON replica is away; what it misses will be sent",
      );
    this.#isAway = true;
    this.#disconnect();
    this.#isSilent = problem instanceof SilentReplica;
    if (this.#isStopped || this.#retry !== null) return;
    this.#retry = setTimeout(() => {
      this.#retry = null;
      void this.#behind(async () => {
        try {
          if (this.#missed.size > 0 && !this.#isStopped) await this.#sendMissed();
        } catch (again) {
          this.#lost(again);
        }
      });
    }, RETRY_MS).unref();
  }
}
