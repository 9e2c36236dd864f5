/**
 * Who leads the daemons that list each other, as seen from here: whom writes are handed to while another one leads, and what is done when it
 * is gone. Source: docs/json-documents.md "Fleets".
 */
import type { Logger } from "pino";
import { ERROR_HEAD, failure, type Member, success } from "../messages/answers.js";
import type { Claim, Fleet } from "./fleet.js";
import { claimIn, type Leader, type Meeting, numberIn, submit, takeLead, textIn } from "./fleet-messages.js";
import type { ReplicaLink } from "./replica-link.js";

/** How often a write is handed over before its client is told that nobody takes it. */
const ATTEMPTS = 20;
/** Milliseconds until the next one, where nobody has taken the lead. */
const PAUSE_MS = 100;
/** How often the leader may say nothing of a write that it has done. */
const LATE_MOST = 2;

/** Done by one server, as far as is known. */
export const ALONE: Member = ["replicated", "false"];

const NO_LEADER =
  "The daemon that orders the writes (--json-replica) cannot be reached: the write may have been done. Look, then try again.";

export interface LeadershipParts {
  readonly fleet: Fleet;
  readonly links: readonly ReplicaLink[];
  readonly log: Logger;
  /** This daemon leads from now on, after another one. */
  readonly takenOver: () => void;
  /** How long is waited for a write to come back, milliseconds. */
  readonly silenceMs: () => number;
}

export class Leadership {
  readonly #parts: LeadershipParts;
  #deciding: Promise<void> | null = null;
  /** Of the leader that was lost; null: it has been heard again. What others say of it is old. */
  #gone: string | null = null;
  /** Those that have connected to this daemon: it is in their lists. */
  readonly #listing = new Set<string>();
  /** Those in whose lists it is not: they lead others, and not this one. */
  readonly #unlisting = new Set<string>();
  #isStopped = false;

  constructor(parts: LeadershipParts) {
    this.#parts = parts;
  }

  stop(): void {
    this.#isStopped = true;
  }

  /** Hands a client's write to the leader. @returns its answer; null: this daemon leads now, and has not done it */
  async submit(number: number, request: string): Promise<string | null> {
    const { fleet, silenceMs } = this.#parts;
    // What a leader has answered counts as long as nobody does the write anew.
    let said: string | null = null;
    let late = 0;
    for (let attempt = 0; attempt < ATTEMPTS && !this.#isStopped; attempt++) {
      if (this.#deciding !== null) await this.#deciding;
      // It came from the one that led before: nobody has said who else has it.
      if (fleet.leads) return attempt > 0 && fleet.has(fleet.id, number) ? success(ALONE) : null;
      const { claim } = fleet;
      try {
        const link = this.#leader;
        if (link === null) throw new Error("the leader is not in reach");
        const answer = await link.tell(submit(fleet.id, number, attempt > 0, request));
        if (answer.get("claim") !== undefined) {
          if (!this.learn(claimIn(answer.get("claim")))) await this.#lookAround();
          continue;
        }
        if (answer.get("isMember") === false) {
          // It has this one in its list, and could not see that in time.
          if (this.#listing.has(claim.id))
            throw new Error("the leader does not know whose the connection is");
          this.#leave(claim);
          continue;
        }
        if (answer.get("place") === undefined) return failure(String(answer.get("message")));
        const text = answer.get("answer");
        said = typeof text === "string" ? textIn(text) : (said ?? success(["replicated", "true"]));
        // Nobody but the leader may have it until it has come here.
        const waited = await fleet.whenDone(numberIn(answer.get("place")), claim, silenceMs());
        if (waited === "done") return said;
        // What is refused need not come here.
        if (waited === "late" && ++late >= LATE_MOST)
          return said.startsWith(ERROR_HEAD) ? said : success(ALONE);
        if (waited === "late") await link.meet(true);
      } catch {
        await this.decide();
      }
    }
    return failure(NO_LEADER);
  }

  /** Who is handed a write says that another one leads, who is not known here yet. */
  async #lookAround(): Promise<void> {
    await Promise.all(this.#parts.links.map((link) => link.meet(true)));
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS).unref());
    await this.decide();
  }

  /** Somebody says who leads. @returns whether that is news */
  learn(claim: Claim): boolean {
    const { fleet, links, log } = this.#parts;
    const isInReach = claim.id === fleet.id || links.some(({ contact }) => contact.memberId === claim.id);
    if (!isInReach || claim.id === this.#gone || this.#unlisting.has(claim.id)) return false;
    if (!fleet.learn(claim)) return false;
    log.info({ leader: this.#leaderName }, "another daemon orders the writes of --json-replica");
    this.#renew();
    return true;
  }

  /** Whether a daemon is in the list, as far as is known. */
  isListed(id: string): boolean {
    return this.#parts.links.some(({ contact }) => contact.memberId === id);
  }

  /** A daemon of the list asks whom this one follows. */
  met({ id, claim }: Meeting): void {
    const { fleet, links } = this.#parts;
    this.#listing.add(id);
    this.#unlisting.delete(id);
    this.heard({ id, claim });
    for (const link of links) {
      const { memberId, kind, isConnected } = link.contact;
      const isKnown = kind === "follower" && memberId === id && claim.id === fleet.claim.id;
      // It has this one in its list, and may follow it: a link to it may not know that, or is just being told otherwise.
      if (fleet.leads && (memberId === id || !isConnected) && !isKnown) link.listed();
      // It is there, which a link to it may not know.
      else if (!isConnected) link.refresh();
    }
  }

  /** What a daemon says of itself. */
  heard({ id, claim }: Pick<Meeting, "id" | "claim">): void {
    if (id === this.#gone) this.#gone = null;
    this.learn(claim);
  }

  /** A connection is gone. */
  lost(link: ReplicaLink): void {
    if (link.contact.memberId === this.#parts.fleet.claim.id) void this.decide();
  }

  /** Finds out who leads. */
  decide(): Promise<void> {
    this.#deciding ??= this.#decide().finally(() => {
      this.#deciding = null;
    });
    return this.#deciding;
  }

  /** One that does not reach the leader asks this one, which may, to lead both. @returns whether it leads */
  takeLead({ id, term }: Leader): boolean {
    const { fleet } = this.#parts;
    if (fleet.leads) return true;
    if (fleet.claim.id !== id || fleet.claim.term !== term || !fleet.isLevel) return false;
    this.#takeOver(
      "another daemon cannot reach the one that ordered the writes of --json-replica; this one does now",
      { id, term },
    );
    return true;
  }

  async #decide(): Promise<void> {
    const { fleet, links } = this.#parts;
    const lost = fleet.claim;
    const isSame = () => fleet.claim.id === lost.id && fleet.claim.term === lost.term;
    if (fleet.leads || this.#isStopped) return;
    const leader = this.#leader;
    if (leader !== null && (await leader.meet()) && leader.contact.memberId === lost.id) return;
    const others = links.filter((link) => link !== leader);
    // Whom they follow, and whether they lack something: what they said before does not count.
    const areThere = await Promise.all(others.map((link) => link.meet(true)));
    if (!isSame() || this.#isStopped) return;
    const isOutdone = others.some(({ contact: { met } }, place) => {
      if (areThere[place] !== true || met === null) return false;
      // Of those that followed the one that is gone, who has all leads. If nobody has, whoever has most.
      const { claim, isLevel } = met;
      return claim.term > lost.term || (claim.id === lost.id && claim.term === lost.term && isLevel);
    });
    if (!fleet.isLevel && isOutdone) {
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS).unref());
      return;
    }
    const between = others.find(({ contact: { met } }, place) => {
      const follows = met?.claim.id === lost.id && met.claim.term === lost.term && met.isLevel;
      return areThere[place] === true && follows;
    });
    if (between !== undefined && (await this.#isLedBy(between, lost))) return;
    if (!isSame() || this.#isStopped) return;
    this.#gone = lost.id;
    this.#takeOver("the daemon that ordered the writes of --json-replica is gone; this one does now");
    await Promise.all(others.map((link) => link.meet()));
  }

  /** Who may reach the one that is lost here reaches all: if one of both led, the other would not follow. @returns whether he leads */
  async #isLedBy(between: ReplicaLink, lost: Leader): Promise<boolean> {
    try {
      const answer = await between.tell(takeLead(lost));
      return answer.get("status") === "success" && (await between.meet(true));
    } catch {
      return false;
    }
  }

  /** Its writes would never come here. */
  #leave({ id, term }: Leader): void {
    const { claim } = this.#parts.fleet;
    this.#unlisting.add(id);
    if (claim.id === id && claim.term === term)
      this.#takeOver(
        "the daemon that orders the writes of --json-replica does not have this one in its list; this one does its own",
      );
  }

  #takeOver(sentence: string, after?: Leader): void {
    const { fleet, log, takenOver } = this.#parts;
    fleet.takeOver(after);
    takenOver();
    log.warn({ term: fleet.claim.term }, sentence);
    this.#renew();
  }

  get #leader(): ReplicaLink | null {
    const { fleet, links } = this.#parts;
    return links.find(({ contact }) => contact.memberId === fleet.claim.id) ?? null;
  }

  get #leaderName(): string {
    return this.#leader?.contact.name ?? "this one";
  }

  #renew(): void {
    for (const link of this.#parts.links) {
      link.renew();
      link.refresh();
    }
  }
}
