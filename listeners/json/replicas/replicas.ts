/**
 * `--json-replica`: servers that are sent what JSON clients write here; at the start they give the documents that are not here yet. Those of
 * the original's kind are sent it as the original does it; daemons that list each other do it in one order, that of their leader.
 * Source: test/vectors/json, "Replication"; docs/json-documents.md "Fleets".
 */
import type { Logger } from "pino";
import type { Environment } from "../../../net/process/environment.js";
import type { ReplicaPlace } from "../../../net/process/place.js";
import type { Limits } from "../../../options/limits.js";
import { type ByteString, textOfBytes } from "../../../protocol/byte-string.js";
import type { FleetFigures } from "../../../protocol/json/fleet-figures.js";
import type { Reply } from "../../../protocol/reply.js";
import { ERROR_HEAD, success } from "../messages/answers.js";
import { bytesOf, itemsOf } from "../messages/reply-parts.js";
import type { JsonRequest } from "../messages/request.js";
import { datedWords } from "../messages/selection.js";
import type { DocumentStore } from "./document-store.js";
import { FirstFetch } from "./first-fetch.js";
import { type DoneWrite, Fleet, type KeptMost } from "./fleet.js";
import { type Leader, led, type Meeting, type Met, noted, plain } from "./fleet-messages.js";
import { ALONE, Leadership } from "./leadership.js";
import type { ReplicaBounds } from "./replica-connection.js";
import { type LinkHost, ReplicaLink } from "./replica-link.js";
import { type Forwarded, translated, wholeDocument } from "./replica-requests.js";
import { type Caller, newMark, Vouching } from "./vouching.js";

/** Commands whose document stands behind a word. */
const CONTAINERS: ReadonlySet<ByteString> = new Set(["DOC.INDEX", "DOC.MEMBER"]);

/** Which one a write changes. */
export const documentOf = (argv: readonly ByteString[]) =>
  (CONTAINERS.has(argv[0] ?? "") ? argv[2] : argv[1]) as ByteString;

export interface JsonReplicasParts {
  readonly places: readonly ReplicaPlace[];
  readonly store: DocumentStore;
  readonly limits: Limits;
  readonly log: Logger;
  /** Unlike that of any other daemon. */
  readonly id: string;
  readonly environment: Pick<Environment, "randomBytes">;
}

/** How the error begins by which clients are refused before the daemon is ready. */
const NOT_READY = "This daemon has not fetched yet the";

/** A write that was done here first, and what became of it; null: nothing has changed. */
export interface Led {
  readonly reply: Reply;
  readonly forwarded: Promise<boolean> | null;
}

/** What the leader has answered to a write of a client takes the place of what would have been answered here. */
export class AnsweredByLeader extends Error {
  readonly answer: string;

  constructor(answer: string) {
    super("answered by another daemon");
    this.answer = answer;
  }
}

export class JsonReplicas implements LinkHost {
  readonly fleet: Fleet;
  readonly store: DocumentStore;
  readonly log: Logger;
  readonly #links: readonly ReplicaLink[];
  readonly #leadership: Leadership;
  readonly #firstFetch: FirstFetch;
  readonly #vouching: Vouching;
  readonly #differences = new Map<ReplicaLink, number>();
  readonly #environment: Pick<Environment, "randomBytes">;
  #bounds: ReplicaBounds;

  constructor({ places, store, limits, log, id, environment }: JsonReplicasParts) {
    this.#environment = environment;
    this.fleet = new Fleet({ id, since: store.now, keptMost: keptMostOf(limits) });
    this.store = store;
    this.log = log;
    const bounds = boundsOf(limits);
    this.#bounds = bounds;
    this.#links = places.map((place) => new ReplicaLink({ place, bounds, host: this }));
    this.#vouching = new Vouching(places, () => this.#bounds);
    const silenceMs = () => this.#bounds.silenceMs;
    const takenOver = () => {
      for (const link of this.#links) link.keep(store.names);
    };
    const { fleet } = this;
    this.#leadership = new Leadership({ fleet, links: this.#links, log, silenceMs, takenOver });
    const taken = (from: ReplicaLink, document: ByteString) => {
      for (const link of this.#links)
        if (link !== from && link.contact.kind === "follower") link.miss(document);
    };
    this.#firstFetch = new FirstFetch({ fleet, links: this.#links, store, log, taken });
  }

  set limits(limits: Limits) {
    this.#bounds = boundsOf(limits);
    for (const link of this.#links) link.bounds = this.#bounds;
    this.fleet.keptMost = keptMostOf(limits);
  }

  /** Fetches the documents that are not here yet, for the first time. */
  async start(): Promise<void> {
    await this.#firstFetch.start();
  }

  get isReady(): boolean {
    return this.#firstFetch.isReady;
  }

  /** Resolves when it is ready, or after a while. @returns whether it is ready */
  whenReady(mostMs = this.#bounds.silenceMs): Promise<boolean> {
    return this.#firstFetch.whenReady(mostMs);
  }

  /** Why clients' requests are refused before it is ready. */
  get notReady(): string {
    return `${NOT_READY} documents of ${this.#firstFetch.pending}. Try again later.`;
  }

  /** Refuses what another server passed on: the fetch that is running may not have it. */
  noteRefused(): void {
    this.#firstFetch.noteRefused();
  }

  /** @returns the leader's answer takes its place. @throws AnsweredByLeader */
  async follow(argv: readonly ByteString[], request: JsonRequest): Promise<Led> {
    const number = this.fleet.nextNumber();
    const answer = await this.#leadership.submit(number, request.text);
    if (answer !== null) {
      // Its place in the order has come here, the write itself has not.
      const isHere = answer.startsWith(ERROR_HEAD) || !this.fleet.lacks(documentOf(argv));
      throw new AnsweredByLeader(isHere ? answer : success(ALONE));
    }
    return this.lead(argv, request, { by: this.fleet.id, number });
  }

  /** Does a client's write, and tells the others. @param from  of another daemon's client */
  lead(
    argv: readonly ByteString[],
    request: JsonRequest,
    from: Pick<DoneWrite, "by" | "number"> = { by: this.fleet.id, number: this.fleet.nextNumber() },
  ): Led {
    const { now } = this.store;
    const dated = datedWords(argv, now);
    const reply = this.store.run(dated, now);
    if (!hasChanged(reply)) return { reply, forwarded: null };
    return { reply, forwarded: this.#forward({ ...from, now, argv: dated }, request) };
  }

  newMark(): string {
    return newMark(this.#environment);
  }

  /** Whether a connection that bears a mark is one that this daemon has opened. */
  vouches(mark: string): boolean {
    return this.#links.some(({ contact }) => contact.bears(mark));
  }

  /** Whether a connection is one that a daemon of the list has opened. */
  isMember(caller: Caller): Promise<boolean> {
    const others = this.#links.filter(({ contact: { kind } }) => kind !== "original" && kind !== "self");
    const places = others.map(({ contact: { place } }) => place);
    return this.#vouching.isVouchedFor(caller, places);
  }

  /** A daemon says whom it follows. @param isProven  whether it is one of the list */
  meet(meeting: Meeting, isProven: boolean): Met {
    if (isProven) this.#leadership.met(meeting);
    this.#firstFetch.again();
    const { fleet } = this;
    const isListed = isProven || this.#leadership.isListed(meeting.id);
    const isLed = isProven && fleet.claim.id === meeting.id;
    return {
      id: fleet.id,
      claim: fleet.claim,
      counts: fleet.counts,
      isProven,
      isListed,
      writes: isLed ? fleet.lacking(meeting.counts) : [],
      hasForgotten: isLed && fleet.hasForgotten(meeting.counts),
      isLevel: fleet.isLevel,
      isReady: this.isReady,
    };
  }

  met(met: Met): void {
    const { fleet, store, log } = this;
    this.#leadership.heard(met);
    if (!fleet.leads || met.claim.id !== fleet.id) return;
    if (met.hasForgotten)
      log.warn(
        { member: met.id },
        "a JSON replica wrote more while it was cut off than it could remember: some of it is lost",
      );
    for (const taken of met.writes) {
      if (fleet.has(taken.by, taken.number)) continue;
      const write = { ...taken, now: Math.min(taken.now, store.now) };
      const reply = store.apply(write.argv, write.now);
      if (reply.kind === "error")
        log.warn(
          { member: write.by, command: write.argv[0], reason: reply.text },
          "a write that a JSON replica took while it was cut off cannot be done any more",
        );
      else void this.#forward(write, null);
    }
  }

  /** @returns whether this daemon leads, which one that cannot reach the leader has asked for */
  takeLead(leader: Leader): boolean {
    return this.#leadership.takeLead(leader);
  }

  /** What the leader gave of a document is not taken here. @param answer  why */
  refuse(document: ByteString, answer: string): void {
    const { fleet, log } = this;
    if (fleet.lacks(document)) return;
    fleet.refuse(document);
    log.warn(
      { document: textOfBytes(document), reason: answer },
      "a document of the daemon that orders the writes of --json-replica is refused here; this one leads no daemon that has it",
    );
  }

  learn(claim: Fleet["claim"]): void {
    this.#leadership.learn(claim);
  }

  differs(link: ReplicaLink, documents: readonly ByteString[]): void {
    this.#differences.set(link, (this.#differences.get(link) ?? 0) + documents.length);
    const names = documents.slice(0, 10).map(textOfBytes);
    const count = documents.length;
    this.log.warn(
      { replica: link.contact.name, documents: names, count },
      "a JSON replica has other contents than are here",
    );
  }

  adopted(from: ReplicaLink, document: ByteString): void {
    this.log.info(
      { replica: from.contact.name, document: textOfBytes(document) },
      "has given a document that was not here",
    );
    for (const link of this.#links) if (link !== from) link.miss(document);
  }

  lost(link: ReplicaLink): void {
    this.#leadership.lost(link);
  }

  get figures(): FleetFigures {
    const { leads, claim, isLevel, refusedCount } = this.fleet;
    const others = this.#links.filter(({ contact }) => contact.kind !== "self");
    const servers = others.map((link) => ({
      replica: link.contact.name,
      isConnected: link.contact.isConnected,
      hasGiven: link.contact.hasGiven,
      isLeader: link.contact.memberId === claim.id,
      missing: link.missed.size,
      refused: link.missed.refusedSize,
      different: this.#differences.get(link) ?? 0,
    }));
    return {
      isReady: this.isReady,
      isLeading: leads,
      term: claim.term,
      isLevel,
      refused: refusedCount,
      servers,
    };
  }

  stopFetching(): void {
    this.#firstFetch.stop();
  }

  stop(): void {
    this.#leadership.stop();
    this.#vouching.stop();
    for (const link of this.#links) link.stop();
  }

  /** @param request  null: as it is known by its command alone @returns whether another server has confirmed it */
  async #forward(write: DoneWrite, request: JsonRequest | null): Promise<boolean> {
    const { fleet, store } = this;
    fleet.record(write);
    const numbered = { leader: fleet.claim, place: fleet.place, write };
    const document = documentOf(write.argv);
    const lines = new Map<string, string>();
    const once = (name: string, make: () => string) => {
      const made = lines.get(name) ?? make();
      lines.set(name, made);
      return made;
    };
    let words: Forwarded | null = null;
    const changed = {
      contents: () => store.contentsOf(document),
      firstKey: () => bytesOf(itemsOf(store.run(["DOC.GETKEYS", document]))[0]),
      isCounted: () => this.#isCounted(document),
    };
    const forwarded = {
      document,
      isDrop: write.argv[0] === "DOC.DROP",
      told: (leader: object | null) =>
        leader === null ? once("plain", () => plain(write)) : once("led", () => led(numbered)),
      noted: () => once("noted", () => noted(numbered)),
      translated: () =>
        (words ??=
          request === null
            ? wholeDocument(document, changed.contents())
            : translated(request, document, changed)),
    };
    const all = await Promise.all(this.#links.map((link) => link.forward(forwarded)));
    return all.includes(true);
  }

  /** A deletion counts the ids that are numbers from 0 anew: if the highest one is there, there are no others. */
  #isCounted(document: ByteString): boolean {
    const count = this.store.run(["DOC.COUNT", document]);
    if (count.kind !== "integer" || Number(count.value) === 0) return count.kind === "integer";
    const last = String(Number(count.value) - 1);
    return itemsOf(this.store.run(["DOC.GET", document, "ID", last])).length > 0;
  }
}

/** They are handed over in one answer, whose JSON is at most some two times as long. */
const ANSWER_SHARE = 1 / 4;

function keptMostOf({ jsonReplicaKept, jsonReplicaKeptBytes, maxOutputBytes }: Limits): KeptMost {
  return { writes: jsonReplicaKept, chars: Math.min(jsonReplicaKeptBytes, ANSWER_SHARE * maxOutputBytes) };
}

function boundsOf(limits: Limits): ReplicaBounds {
  return { silenceMs: limits.jsonReplicaTimeout, maxBytes: limits.maxOutputBytes };
}

/** An error changes nothing; emptying a document that is not there neither. */
function hasChanged(reply: Reply): boolean {
  return reply.kind !== "error" && !(reply.kind === "integer" && reply.value === 0);
}
