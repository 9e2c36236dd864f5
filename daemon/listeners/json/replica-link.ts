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
import { type Contents, wholeDocument } from "./replica-requests.js";

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
  /** Documents that were sent as a whole, with all writes up to a number. */
  readonly #whole = new Map<ByteString, number>();
  #retry: NodeJS.Timeout | null = null;
  /** Writes do not wait for it, until it has been reached again. */
  #isSilent = false;
  #isStopped = false;

  constructor(parts: ReplicaLinkParts) {
    this.#parts = parts;
  }

  /** host:port */
  get name(): string {
    return placeName(this.#parts.place);
  }

  /** A write that has just been done here. @returns whether the server has confirmed it */
  forward(document: ByteString, requests: readonly string[]): Promise<boolean> {
    const number = ++this.#count;
    return this.#behind(() => this.#forward(document, requests, number));
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

  async #forward(document: ByteString, requests: readonly string[], number: number): Promise<boolean> {
    if (number <= (this.#whole.get(document) ?? 0)) return true;
    if (this.#isStopped || this.#isSilent) {
      this.#missed.add(document);
      return false;
    }
    try {
      if (this.#missed.size > 0) {
        this.#missed.add(document);
        return await this.#sendMissed();
      }
      return await this.#send(requests, await this.#connected());
    } catch (problem) {
      this.#lost(problem);
      this.#missed.add(document);
      return false;
    }
  }

  /** @returns whether it took the last one: a drop before others may be refused */
  async #send(requests: readonly string[], connection: ReplicaConnection): Promise<boolean> {
    let isTaken = true;
    for (const request of requests) {
      const answer = await connection.ask(request);
      isTaken = answer.get("status") === "success";
      if (isTaken || request !== requests.at(-1)) continue;
      const message = String(answer.get("message"));
      this.#parts.log.warn({ replica: this.name, message }, "a JSON replica refuses what was written here");
    }
    return isTaken;
  }

  async #sendMissed(): Promise<boolean> {
    const connection = await this.#connected();
    let isTaken = true;
    for (const document of this.#missed) {
      const requests = wholeDocument(document, this.#parts.contentsOf(document));
      this.#whole.set(document, this.#count);
      const took = await this.#send(requests, connection);
      // A drop of what was not there either.
      isTaken &&= took || requests.length === 1;
      this.#missed.delete(document);
    }
    this.#parts.log.info({ replica: this.name }, "a JSON replica has all documents again");
    return isTaken;
  }

  async #connected(): Promise<ReplicaConnection> {
    const { place, bounds } = this.#parts;
    this.#connection ??= await ReplicaConnection.open(place, bounds);
    this.#isSilent = false;
    return this.#connection;
  }

  #lost(problem: unknown): void {
    const reason = problem instanceof Error ? problem.message : String(problem);
    this.#parts.log.warn(
      { replica: this.name, reason },
      "a JSON replica is away; what it misses will be sent",
    );
    this.#connection?.destroy();
    this.#connection = null;
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
