/**
 * Takes a member's snapshot when entries are missing here that no connected member stores any longer: chooses the
 * member, requests a few parts at a time and, once the snapshot is complete and its seal is the one on which the
 * members agreed, lets the timeline adopt it. If loading fails, the next member is tried.
 */
import type { ByteString } from "../../../../protocol/byte-string.js";
import type { CutVote } from "../../../../protocol/members/cut-votes.js";
import type { OwnMessage, SnapshotPartMessage } from "../../../../protocol/members/member-messages.js";
import { dateText, hexOf } from "../../../../protocol/version-2/envelope.js";
import type { DeadLetterFigures } from "../../../timeline/dead-letters.js";
import type { Entry } from "../../../timeline/entries/entry.js";
import type { LostEntries } from "../../../timeline/lost-entries.js";
import type { StagedSnapshot } from "../../../timeline/snapshots/snapshot-stores.js";
import { type ClusterState, type ConnectedMember, haveMembersConnected } from "../shared/cluster-state.js";
import { electorateIn } from "../shared/electorate.js";
import type { CutVoting } from "./cut-voting.js";
import type { MissingEntries } from "./missing-entries.js";

/**
 * The choice of the member whose snapshot may replace this daemon's entries, if any. No member's report takes
 * precedence over another's, snapshots dated in the future are rejected, and a snapshot replaces only entries that no
 * member can send individually. If the members cannot agree, an operator can decide. Source:
 * docs/decisions/0016-a-snapshot-needs-a-majority.md.
 */
export class SnapshotChoice {
  readonly #cluster: ClusterState;
  readonly #missing: MissingEntries;
  readonly #voting: CutVoting;
  readonly #taking: SnapshotTaking;
  /** The result of `order` as of the last check. */
  #order: string | null = null;

  constructor(
    cluster: ClusterState,
    past: { missing: MissingEntries; voting: CutVoting; taking: SnapshotTaking },
  ) {
    this.#cluster = cluster;
    this.#missing = past.missing;
    this.#voting = past.voting;
    this.#taking = past.taking;
  }

  /**
   * The option with which an operator can make this daemon adopt a member's snapshot in place of missing entries, or
   * null if no operator has to decide.
   */
  get order(): string | null {
    return this.#order;
  }

  /**
   * Returns the members whose snapshots may be loaded, ordered by the dates of the snapshots. The result is empty if no
   * snapshot is needed or justified.
   */
  choices(now: number, candidates: readonly ConnectedMember[]): readonly Choice[] {
    this.#order = null;
    this.#warnUnknown(now, candidates);
    const stuck = this.#stuck(now, candidates);
    const choices = stuck.flatMap(({ sender, needed }) => {
      const agreed = this.#agreedWith(sender, needed);
      return agreed === null ? [] : [{ sender, agreed }];
    });
    const [first] = stuck;
    if (choices.length === 0 && first !== undefined) this.#logUndecided(first.sender, first.needed);
    return choices.sort((a, b) => a.agreed.at - b.agreed.at);
  }

  /**
   * Returns the live members whose states include the missing entries, if no connected member can send the entries
   * themselves. `needed` is the date that a snapshot has to reach.
   */
  #stuck(now: number, candidates: readonly ConnectedMember[]): { sender: ConnectedMember; needed: number }[] {
    const cluster = this.#cluster;
    const missing = this.#missing;
    const { timeline, limits, state } = cluster;
    if (state !== "catching-up" || timeline.handover === null || !haveMembersConnected(cluster, now))
      return [];
    const hasSentAll = ({ compared, id, status }: ConnectedMember) =>
      compared !== null || (missing.areMissing(id) && (status?.pruned ?? 0) > timeline.prunedTo);
    // Wait longer if a member may still send the entries, but not forever.
    const forMs = candidates.every(hasSentAll) ? limits.snapshotAfterMs : limits.catchUpStuckMs;
    return candidates
      .flatMap((sender) => {
        const { id, status } = sender;
        // The snapshot only has to replace the entries that the member has pruned: the member can still send the rest.
        const isOne = status?.state === "live" && missing.areStuck(id, now, forMs);
        return isOne ? [{ sender, needed: status.pruned }] : [];
      })
      .sort((a, b) => a.needed - b.needed);
  }

  #agreedWith({ id }: ConnectedMember, needed: number): CutVote | null {
    const voting = this.#voting;
    const { clock, order, beganEmpty } = this.#cluster;
    const now = clock();
    const due = voting.from(id, needed).filter(({ at }) => at <= now);
    const votes = due.filter((vote) => !this.#hasCut(vote) && !this.#taking.wasTaken(vote));
    const electorate = electorateIn(this.#cluster);
    // A daemon that began empty has nothing to lose. If it has only one other member, it believes that member's report
    // alone.
    const isBelieved = order === id || (electorate.others === 1 && electorate.ids.has(id) && beganEmpty);
    const missing = this.#taking.missingOf(id);
    // A member may no longer have a snapshot that it voted for. In that case try its later votes, then all its votes
    // again.
    const first = (proved: readonly CutVote[]) => proved.find(({ at }) => at > missing) ?? proved[0] ?? null;
    if (isBelieved) return first(votes);
    // A state that this daemon itself has signed needs no further proof, even if the daemon has lost entries since.
    const isProved = (vote: CutVote) =>
      voting.haveSigned(id, vote.at) ||
      (electorate.others > 1 && voting.agreedOn(vote.at)?.seal === vote.seal);
    return first(votes.filter(isProved));
  }

  /**
   * Whether the vote is for the snapshot that this daemon already has in place of its pruned entries: adopting it again
   * would change nothing.
   */
  #hasCut({ at, seal }: CutVote): boolean {
    const { prunedTo, handover } = this.#cluster.timeline;
    return at === prunedTo && handover?.cuts.some((cut) => cut.at === at && cut.seal === seal) === true;
  }

  /**
   * Warns if an operator has ordered the adoption of a snapshot from a daemon that is not connected, because the order
   * then has no effect.
   */
  #warnUnknown(now: number, candidates: readonly ConnectedMember[]): void {
    const cluster = this.#cluster;
    const ordered = cluster.order;
    if (
      ordered === null ||
      !haveMembersConnected(cluster, now) ||
      candidates.some(({ id }) => id === ordered)
    )
      return;
    cluster.notices.warn(
      "adopt",
      { adopt: hexOf(ordered), members: candidates.map(({ id }) => hexOf(id)) },
      UNKNOWN,
    );
  }

  /** Logs what is missing, which member has it, and what an operator can do. */
  #logUndecided({ id, connection }: ConnectedMember, needed: number): void {
    const { timeline, notices } = this.#cluster;
    const { index } = timeline;
    this.#order = `--adopt ${hexOf(id)}`;
    const entries = index.total("ring").count + index.total("data").count;
    const upTo = dateText(needed);
    const facts = { member: hexOf(id), address: connection.remote, upTo, entries, order: this.#order };
    notices.warn("snapshot", facts, UNDECIDED);
  }
}

const UNKNOWN =
  "`adopt` names no daemon that is connected: the option has no effect. Compare the id with `dbsync status --json`, which shows all " +
  "64 digits. Remove the option after the snapshot has been adopted";
const UNDECIDED =
  "no member stores the entries that are missing here, and too few have signed the same snapshot of them: no snapshot is adopted, and " +
  "this daemon serves the data that it has. Connect the missing members; or, if you trust this member, start this daemon once " +
  "with the option `order`: its snapshot replaces everything here dated up to `upTo`, and the replaced data are kept aside";

/** Milliseconds between two log lines about the progress. */
const PROGRESS_EVERY_MS = 5000;
/** The maximum number of orphaned entries in one log line. */
const ORPHANED_PER_LINE = 20;

/** A member that may send a snapshot. */
export interface SnapshotSender {
  readonly id: ByteString;
  readonly connection: { readonly remote: string; send(message: OwnMessage): void };
}

/** A member, and the snapshot to request from it. */
interface Choice {
  readonly sender: SnapshotSender;
  readonly agreed: CutVote;
}

/** The progress of a transfer. */
export interface SnapshotProgress {
  /** The address of the member that sends the snapshot. */
  readonly address: string;
  readonly received: number;
  readonly total: number;
}

/** A transfer. Times are `uptime` milliseconds. */
interface Taking extends Choice {
  staged: StagedSnapshot | null;
  received: number;
  /** The number of bytes that were received since `movedAt`. */
  fresh: number;
  /** The number of the next part to arrive, and that of the next part to request. */
  number: number;
  requested: number;
  /**
   * Whether all parts have been received. The snapshot is then checked and adopted, and the transfer can no longer be
   * stopped.
   */
  isComplete: boolean;
  movedAt: number;
  loggedAt: number;
}

/**
 * The loading of a snapshot from a live member: it requests a few parts at a time, and passes the complete snapshot to
 * the timeline if its seal is the one on which the members agreed.
 */
export class SnapshotTaking {
  /** Snapshots adopted since the start. */
  taken = 0;
  /**
   * The number of this daemon's own entries that were lost because adopted snapshots did not contain them, since the
   * start.
   */
  orphaned = 0;
  /** The number of this daemon's own entries that may have been lost in this way. */
  possiblyOrphaned = 0;
  readonly #cluster: ClusterState;
  readonly #onTaken: () => void;
  #taking: Taking | null = null;
  /** When a member may be tried again; `uptime` milliseconds. */
  readonly #pausedUntil = new Map<ByteString, number>();
  /** The date of the last requested snapshot that a member could not send, by member; milliseconds since 1970. */
  readonly #missing = new Map<ByteString, number>();
  /** Seals of the snapshots adopted since this daemon was last live. */
  readonly #seals = new Set<ByteString>();

  /** @param onTaken  called when the timeline starts from a snapshot */
  constructor(cluster: ClusterState, onTaken: () => void) {
    this.#cluster = cluster;
    this.#onTaken = onTaken;
  }

  /** Whether this daemon serves clients. If so, its data must not be replaced. */
  get #isServing(): boolean {
    return this.#cluster.state !== "catching-up";
  }

  get progress(): SnapshotProgress | null {
    if (this.#taking === null) return null;
    const { sender, received, agreed } = this.#taking;
    return { address: sender.connection.remote, received, total: agreed.bytes };
  }

  /** Returns the date of the last requested snapshot that a member could not send, or -1 if there is none. */
  missingOf(id: ByteString): number {
    return this.#missing.get(id) ?? -1;
  }

  /**
   * Whether this daemon has adopted this snapshot since it last served clients. The snapshot did not contain the
   * missing entries then, so adopting it again would not help.
   */
  wasTaken({ seal }: CutVote): boolean {
    return this.#seals.has(seal);
  }

  /** Called when a member has disconnected. */
  disconnected(id: ByteString): void {
    this.#missing.delete(id);
  }

  /**
   * @param choices  members and the snapshots that may be loaded from them, the best first, or none if no snapshot is
   * needed
   */
  tick(now: number, choices: readonly Choice[]): void {
    const taking = this.#taking;
    if (this.#isServing) this.#seals.clear();

    if (taking === null) {
      const choice = choices.find(({ sender }) => now >= (this.#pausedUntil.get(sender.id) ?? 0));
      if (choice !== undefined) this.#begin(choice, now);
      return;
    }

    if (taking.isComplete) return;
    if (!choices.some(({ sender }) => sender === taking.sender))
      this.#giveUp("it is no longer needed, or the member has disconnected");
    else if (now - taking.movedAt > this.#cluster.limits.snapshotStuckMs) this.#giveUp("no data arrives");
    else if (now - taking.loggedAt > PROGRESS_EVERY_MS) {
      taking.loggedAt = now;
      const { received, agreed } = taking;
      this.#cluster.log.info({ received, total: agreed.bytes }, "loading a snapshot");
    }
  }

  /** Receives a part. @returns whether it was requested */
  part(sender: SnapshotSender, message: SnapshotPartMessage): boolean {
    const taking = this.#taking;

    // Parts of a transfer that was abandoned may still be in flight.
    if (taking === null || taking.sender !== sender || taking.isComplete)
      return this.#pausedUntil.has(sender.id);
    if (message.number !== taking.number) return false;

    if (message.at !== taking.agreed.at || message.total !== taking.agreed.bytes) {
      // The member no longer has the snapshot that was signed. It has none, or it has made another snapshot of that
      // date, which may contain different entries.
      this.#missing.set(sender.id, taking.agreed.at);
      this.#giveUp(
        message.at === 0
          ? "it has no snapshot to send"
          : "it sends a different snapshot from the one that was agreed on",
      );
      return true;
    }

    taking.received += message.bytes.length;
    const left = message.total - taking.received;
    if (left < 0 || (message.isLast ? left > 0 : message.bytes.length === 0)) return false;

    taking.number++;
    this.#moved(taking, message.bytes.length);
    try {
      taking.staged ??= this.#stage(message.at);
      const { room } = taking.staged;
      // The state that is built from the snapshot needs space too.
      if (left + message.bytes.length > room)
        throw new Error(`${left} bytes are still missing, and there is space for ${Math.floor(room)}`);
      taking.staged.write(message.bytes);
    } catch (problem) {
      this.#giveUp((problem as Error).message);
      return true;
    }
    if (message.isLast) this.#adopt(taking, taking.staged);
    else this.#request(taking);
    return true;
  }

  /**
   * Records progress. A few bytes do not count as progress, so that a member that sends very slowly is replaced by
   * another.
   */
  #moved(taking: Taking, bytes: number): void {
    const { uptime, limits } = this.#cluster;
    taking.fresh += bytes;
    if (taking.fresh < limits.snapshotMinBytes && taking.received < taking.agreed.bytes) return;
    taking.fresh = 0;
    taking.movedAt = uptime();
  }

  /** Discards an unfinished transfer. */
  stop(): void {
    if (this.#taking?.isComplete === false) this.#taking.staged?.discard();
    this.#taking = null;
  }

  #begin({ sender, agreed }: Choice, now: number): void {
    this.#taking = {
      sender,
      agreed,
      staged: null,
      received: 0,
      fresh: 0,
      number: 0,
      requested: 0,
      isComplete: false,
      movedAt: now,
      loggedAt: now,
    };

    this.#pausedUntil.delete(sender.id);
    this.#cluster.log.warn({ ...factsOf(sender), upTo: dateText(agreed.at) }, TAKING);
    this.#request(this.#taking);
  }

  /**
   * Requests the next parts. At the beginning it requests only the first part, because the member may have no snapshot
   * to send.
   */
  #request(taking: Taking): void {
    const { staged, sender, number, agreed } = taking;
    const until = staged === null ? 1 : number + this.#cluster.limits.snapshotParts;
    for (; taking.requested < until; taking.requested++)
      sender.connection.send({ kind: "snapshot-pull", at: agreed.at, number: taking.requested });
  }

  #stage(cutAt: number): StagedSnapshot {
    const { handover } = this.#cluster.timeline;
    if (handover === null) throw new Error("there is no storage for snapshots");
    return handover.stage(cutAt);
  }

  #adopt(taking: Taking, staged: StagedSnapshot): void {
    const { timeline, log } = this.#cluster;
    taking.isComplete = true;
    const upTo = dateText(staged.cutAt);
    timeline.handover?.adopt(staged, taking.agreed, {
      isWanted: () => this.#taking === taking && !this.#isServing,
      onAside: (name) =>
        log.warn(
          { ...factsOf(taking.sender), upTo, ...(name === null ? {} : { name }) },
          name === null ? NO_ASIDE : ASIDE,
        ),
      onOrphaned: (orphans) => {
        this.#logLost(orphans, upTo, ORPHANED);
        this.#logLost(orphans.unverifiable, upTo, UNVERIFIABLE);
        this.#logPossible(orphans.possible, upTo);
        this.#logDeadLetters(orphans.deadLetters);
      },
      onAdopted: () => {
        if (this.#taking !== taking) return;
        this.#taking = null;
        this.#pause(taking.sender);
        this.taken++;
        this.#seals.add(taking.agreed.seal);
        log.warn({ ...factsOf(taking.sender), upTo, bytes: taking.received }, ADOPTED);
        this.#onTaken();
      },
      onFailed: (problem) => {
        if (this.#taking !== taking) return;
        // The snapshot has the signed length, but different contents. This daemon can detect that only after all parts
        // have arrived.
        this.#missing.set(taking.sender.id, taking.agreed.at);
        this.#giveUp(problem.message);
      },
    });
  }

  #giveUp(reason: string): void {
    const taking = this.#taking;
    if (taking === null) return;
    taking.staged?.discard();
    this.#taking = null;
    this.#pause(taking.sender);
    this.#cluster.log.warn({ ...factsOf(taking.sender), reason }, GIVEN_UP);
  }

  #pause({ id }: SnapshotSender): void {
    const { uptime, limits } = this.#cluster;
    this.#pausedUntil.set(id, uptime() + limits.snapshotStuckMs);
  }

  /** Logs lost entries, because no other member may have them. */
  #logLost({ count, entries }: LostEntries, upTo: string, text: string): void {
    if (count === 0) return;
    this.orphaned += count;
    const { log } = this.#cluster;
    for (const line of linesOf(entries)) log.error({ count, upTo, entries: line }, text);
  }

  #logDeadLetters(deadLetters: DeadLetterFigures | null): void {
    const { log } = this.#cluster;
    if (deadLetters === null || deadLetters.stored + deadLetters.notStored === 0) return;
    const { file, stored, notStored } = deadLetters;
    if (stored > 0) log.warn({ kept: stored, file }, KEPT);
    if (notStored > 0) log.error({ left: notStored }, NO_ROOM);
  }

  /** Logs entries that are probably in the snapshot, as information and not as an error. */
  #logPossible({ count, entries }: LostEntries, upTo: string): void {
    if (count === 0) return;
    this.possiblyOrphaned += count;
    const { log } = this.#cluster;
    for (const line of linesOf(entries)) log.info({ count, upTo, entries: line }, POSSIBLE);
  }
}

/** Splits entries into groups, one for each log line. Returns at least one group. */
function linesOf(entries: readonly Entry[]): string[][] {
  const lines: string[][] = [];
  for (let from = 0; from === 0 || from < entries.length; from += ORPHANED_PER_LINE)
    lines.push(entries.slice(from, from + ORPHANED_PER_LINE).map(textOf));
  return lines;
}

const factsOf = ({ id, connection }: SnapshotSender) => ({ member: hexOf(id), address: connection.remote });

/** Returns the date, id and signer of an entry, and the names of its commands, whose arguments may be private. */
function textOf({ id, envelope: { at, key, commands } }: Entry): string {
  const names = commands.map(([name]) => name).join(" ");
  return `${dateText(at)} ${hexOf(id)} by ${hexOf(key)}: ${names}`;
}

const TAKING =
  "this daemon is missing entries that no member stores any longer: loading a member's snapshot instead";
const ADOPTED = "a member's snapshot was adopted";
const ASIDE = "the replaced data is kept in the folder `name` until you remove it";
const NO_ASIDE = "the replaced data is not kept, because there is no data folder";
const GIVEN_UP = "a member's snapshot could not be loaded; this will be tried again";
const ORPHANED =
  "this daemon had entries of that time that the adopted snapshot does not contain; this daemon no longer has them. Entries that are not " +
  "named were pruned here before, or are among those that the log reports as possibly lost. With --data they are kept as dead letters";
const POSSIBLE =
  "it is unknown whether the adopted snapshot contains these entries: it has only checksums, and for their " +
  "seconds these include other entries too. Usually it contains them; their signers can check whether they took effect";
const KEPT =
  "the entries that the snapshot does not contain, or may not contain, are stored as dead letters in `file`: dbsync dead-letters lists them, and writes them again";
const NO_ROOM =
  "`left` more are not stored as dead letters, because --max-dead-letter-bytes is reached: they are only in the data that was kept aside. Raise the limit, or write " +
  "dead letters again and remove them";
const UNVERIFIABLE =
  "the keys that signed these entries were added by entries that the adopted snapshot does not contain, so no other " +
  "daemon can verify them; this daemon no longer has them. Add the keys again, and have their owners write the entries again";
