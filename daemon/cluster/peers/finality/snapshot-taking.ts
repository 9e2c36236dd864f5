/**
 * Takes a member's snapshot when entries are missing here that no connected member stores any longer: requests a few
 * parts at a time and, once the snapshot is complete and its seal is the one on which the members agreed, lets the
 * timeline adopt it. If loading fails, the next member is tried, which snapshot-choice.ts has chosen.
 */
import type { ByteString } from "../../../../protocol/byte-string.js";
import type { CutVote } from "../../../../protocol/members/cut-votes.js";
import type { OwnMessage, SnapshotPartMessage } from "../../../../protocol/members/member-messages.js";
import { dateText, hexOf } from "../../../../protocol/version-2/envelope.js";
import type { DeadLetterFigures } from "../../../timeline/dead-letters.js";
import type { Entry } from "../../../timeline/entries/entry.js";
import type { LostEntries } from "../../../timeline/lost-entries.js";
import type { StagedSnapshot } from "../../../timeline/snapshots/snapshot-stores.js";
import type { ClusterState } from "../shared/cluster-state.js";

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
export interface SnapshotRequest {
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
interface Taking extends SnapshotRequest {
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
  tick(now: number, choices: readonly SnapshotRequest[]): void {
    const taking = this.#taking;
    if (this.#isServing) this.#seals.clear();

    if (taking === null) {
      const choice = choices.find(({ sender }) => now >= (this.#pausedUntil.get(sender.id) ?? 0));
      if (choice !== undefined) this.#beginTransfer(choice, now);
      return;
    }

    if (taking.isComplete) return;
    if (!choices.some(({ sender }) => sender === taking.sender))
      this.#giveUpTransfer("it is no longer needed, or the member has disconnected");
    else if (now - taking.movedAt > this.#cluster.limits.snapshotStuckMs)
      this.#giveUpTransfer("no data arrives");
    else if (now - taking.loggedAt > PROGRESS_EVERY_MS) {
      taking.loggedAt = now;
      const { received, agreed } = taking;
      this.#cluster.log.info({ received, total: agreed.bytes }, "loading a snapshot");
    }
  }

  /** Receives a part. @returns whether it was requested */
  receivePart(sender: SnapshotSender, message: SnapshotPartMessage): boolean {
    const taking = this.#taking;

    // Parts of a transfer that was abandoned may still be in flight.
    if (taking === null || taking.sender !== sender || taking.isComplete)
      return this.#pausedUntil.has(sender.id);
    if (message.number !== taking.number) return false;

    if (message.at !== taking.agreed.at || message.total !== taking.agreed.bytes) {
      // The member no longer has the snapshot that was signed. It has none, or it has made another snapshot of that
      // date, which may contain different entries.
      this.#missing.set(sender.id, taking.agreed.at);
      this.#giveUpTransfer(
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
    this.#noteProgress(taking, message.bytes.length);
    try {
      taking.staged ??= this.#stageSnapshot(message.at);
      const { room } = taking.staged;
      // The state that is built from the snapshot needs space too.
      if (left + message.bytes.length > room)
        throw new Error(`${left} bytes are still missing, and there is space for ${Math.floor(room)}`);
      taking.staged.write(message.bytes);
    } catch (problem) {
      this.#giveUpTransfer((problem as Error).message);
      return true;
    }

    if (message.isLast) this.#adoptSnapshot(taking, taking.staged);
    else this.#requestParts(taking);
    return true;
  }

  /**
   * Records progress. A few bytes do not count as progress, so that a member that sends very slowly is replaced by
   * another.
   */
  #noteProgress(taking: Taking, bytes: number): void {
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

  #beginTransfer({ sender, agreed }: SnapshotRequest, now: number): void {
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
    this.#requestParts(this.#taking);
  }

  /**
   * Requests the next parts. At the beginning it requests only the first part, because the member may have no snapshot
   * to send.
   */
  #requestParts(taking: Taking): void {
    const { staged, sender, number, agreed } = taking;
    const until = staged === null ? 1 : number + this.#cluster.limits.snapshotParts;
    for (; taking.requested < until; taking.requested++)
      sender.connection.send({ kind: "snapshot-pull", at: agreed.at, number: taking.requested });
  }

  #stageSnapshot(cutAt: number): StagedSnapshot {
    const { snapshotTransfer } = this.#cluster.timeline;
    if (snapshotTransfer === null) throw new Error("there is no storage for snapshots");
    return snapshotTransfer.stage(cutAt);
  }

  #adoptSnapshot(taking: Taking, staged: StagedSnapshot): void {
    const { timeline, log } = this.#cluster;
    taking.isComplete = true;
    const upTo = dateText(staged.cutAt);

    timeline.snapshotTransfer?.adopt(staged, taking.agreed, {
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
        this.#pauseSender(taking.sender);
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
        this.#giveUpTransfer(problem.message);
      },
    });
  }

  #giveUpTransfer(reason: string): void {
    const taking = this.#taking;
    if (taking === null) return;
    taking.staged?.discard();
    this.#taking = null;
    this.#pauseSender(taking.sender);
    this.#cluster.log.warn({ ...factsOf(taking.sender), reason }, GIVEN_UP);
  }

  #pauseSender({ id }: SnapshotSender): void {
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
