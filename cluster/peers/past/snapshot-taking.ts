/**
 * Takes a snapshot from a live member, when entries are missing here that no connected member keeps any longer:
 * requests its parts, a few at a time, and has the timeline begin with it once it is complete and the one that was
 * agreed on. Members are asked one after the other.
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import type { CutVote } from "../../../protocol/members/cut-votes.js";
import type { OwnMessage, SnapshotPartMessage } from "../../../protocol/members/member-messages.js";
import { dateText, hexOf } from "../../../protocol/version-2/envelope.js";
import type { KeptLetters } from "../../../timeline/dead-letters.js";
import type { Entry } from "../../../timeline/entries/entry.js";
import type { LostEntries } from "../../../timeline/lost-entries.js";
import type { StagedSnapshot } from "../../../timeline/snapshots/snapshot-files.js";
import type { ClusterState } from "../shared/cluster-state.js";

/** Milliseconds between two lines of the log. */
const PROGRESS_EVERY_MS = 5000;
/** Orphaned entries in one line of the log. */
const ORPHANED_A_LINE = 20;

/** A member that could send a snapshot. */
export interface SnapshotSender {
  readonly id: ByteString;
  readonly connection: { readonly remote: string; send(message: OwnMessage): void };
}

/** A member, and the snapshot that it is to send. */
export interface Choice {
  readonly sender: SnapshotSender;
  readonly agreed: CutVote;
}

/** The progress of a transfer. */
export interface SnapshotProgress {
  /** The address of its sender. */
  readonly address: string;
  readonly received: number;
  readonly total: number;
}

/** A transfer. Times are `uptime` milliseconds. */
interface Taking extends Choice {
  staged: StagedSnapshot | null;
  received: number;
  /** Bytes of these, since `movedAt`. */
  fresh: number;
  /** Numbers of the part that has to come next, and of the one that is to be requested next. */
  number: number;
  asked: number;
  /** Whether all has been received, and is being checked and adopted: nothing can end it any longer. */
  isWhole: boolean;
  movedAt: number;
  saidAt: number;
}

export class SnapshotTaking {
  /** Snapshots taken since the start. */
  taken = 0;
  /** Own entries that were lost with snapshots, since the start. */
  orphaned = 0;
  /** Own entries that may have been lost. */
  possiblyOrphaned = 0;
  readonly #cluster: ClusterState;
  readonly #onTaken: () => void;
  #taking: Taking | null = null;
  /** When a member may be asked again; `uptime` milliseconds. */
  readonly #rests = new Map<ByteString, number>();
  /** The date of the last snapshot that a member was asked for and could not send; milliseconds since 1970. */
  readonly #missing = new Map<ByteString, number>();
  /** Seals of the snapshots adopted since this daemon was last live. */
  readonly #seals = new Set<ByteString>();

  /** @param onTaken  the timeline starts from a snapshot now */
  constructor(cluster: ClusterState, onTaken: () => void) {
    this.#cluster = cluster;
    this.#onTaken = onTaken;
  }

  /** Whether this daemon serves: then it keeps what it has. */
  get #isServing(): boolean {
    return this.#cluster.state !== "catching-up";
  }

  get progress(): SnapshotProgress | null {
    if (this.#taking === null) return null;
    const { sender, received, agreed } = this.#taking;
    return { address: sender.connection.remote, received, total: agreed.bytes };
  }

  /** Returns the date of the last snapshot that a member was asked for and could not send; -1: there was none. */
  missingOf(id: ByteString): number {
    return this.#missing.get(id) ?? -1;
  }

  /**
   * Whether this snapshot was taken since this daemon last served: if that did not add what is missing, it does not a
   * second time.
   */
  wasTaken({ seal }: CutVote): boolean {
    return this.#seals.has(seal);
  }

  /** A member has disconnected. */
  left(id: ByteString): void {
    this.#missing.delete(id);
  }

  /** @param choices  members that one may be taken from, and which snapshot, the best one first; none: there is no need */
  tick(now: number, choices: readonly Choice[]): void {
    const taking = this.#taking;
    if (this.#isServing) this.#seals.clear();
    if (taking === null) {
      const choice = choices.find(({ sender }) => now >= (this.#rests.get(sender.id) ?? 0));
      if (choice !== undefined) this.#begin(choice, now);
      return;
    }
    if (taking.isWhole) return;
    if (!choices.some(({ sender }) => sender === taking.sender))
      this.#giveUp("it is not needed any more, or the member has gone");
    else if (now - taking.movedAt > this.#cluster.limits.snapshotStuckMs) this.#giveUp("nothing comes");
    else if (now - taking.saidAt > PROGRESS_EVERY_MS) {
      taking.saidAt = now;
      const { received, agreed } = taking;
      this.#cluster.log.info({ received, total: agreed.bytes }, "taking a snapshot");
    }
  }

  /** Takes a part. @returns whether it was requested */
  part(sender: SnapshotSender, message: SnapshotPartMessage): boolean {
    const taking = this.#taking;
    // Parts of one that was given up may still be on their way.
    if (taking === null || taking.sender !== sender || taking.isWhole) return this.#rests.has(sender.id);
    if (message.number !== taking.number) return false;
    if (message.at !== taking.agreed.at || message.total !== taking.agreed.bytes) {
      // A snapshot made again of that date may contain other entries: the member no longer has the one that was
      // signed.
      this.#missing.set(sender.id, taking.agreed.at);
      this.#giveUp(message.at === 0 ? "it has none to give" : "it gives another one than was agreed on");
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
      // What is made of it needs room as well.
      if (left + message.bytes.length > room)
        throw new Error(`${left} bytes are still to come, and there is room for ${Math.floor(room)}`);
      taking.staged.write(message.bytes);
    } catch (problem) {
      this.#giveUp((problem as Error).message);
      return true;
    }
    if (message.isLast) this.#adopt(taking, taking.staged);
    else this.#ask(taking);
    return true;
  }

  /** Notes progress. A byte now and then is none: another member may send everything. */
  #moved(taking: Taking, bytes: number): void {
    const { uptime, limits } = this.#cluster;
    taking.fresh += bytes;
    if (taking.fresh < limits.snapshotMinBytes && taking.received < taking.agreed.bytes) return;
    taking.fresh = 0;
    taking.movedAt = uptime();
  }

  /** Leaves nothing unfinished. */
  stop(): void {
    if (this.#taking?.isWhole === false) this.#taking.staged?.discard();
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
      asked: 0,
      isWhole: false,
      movedAt: now,
      saidAt: now,
    };
    this.#rests.delete(sender.id);
    this.#cluster.log.warn({ ...factsOf(sender), upTo: dateText(agreed.at) }, TAKING);
    this.#ask(this.#taking);
  }

  /** Asks for the first part alone at first, as the member may have none to send. */
  #ask(taking: Taking): void {
    const { staged, sender, number, agreed } = taking;
    const until = staged === null ? 1 : number + this.#cluster.limits.snapshotParts;
    for (; taking.asked < until; taking.asked++)
      sender.connection.send({ kind: "snapshot-pull", at: agreed.at, number: taking.asked });
  }

  #stage(cutAt: number): StagedSnapshot {
    const { handover } = this.#cluster.timeline;
    if (handover === null) throw new Error("there is no place for it");
    return handover.stage(cutAt);
  }

  #adopt(taking: Taking, staged: StagedSnapshot): void {
    const { timeline, log } = this.#cluster;
    taking.isWhole = true;
    const upTo = dateText(staged.cutAt);
    timeline.handover?.adopt(staged, taking.agreed, {
      isWanted: () => this.#taking === taking && !this.#isServing,
      onAside: (name) =>
        log.warn(
          { ...factsOf(taking.sender), upTo, ...(name === null ? {} : { name }) },
          name === null ? NO_ASIDE : ASIDE,
        ),
      onOrphaned: (orphans) => {
        this.#logLost(orphans, upTo, STRAYS);
        this.#logLost(orphans.unverifiable, upTo, UNVERIFIABLE);
        this.#logPossible(orphans.possible, upTo);
        this.#logDeadLetters(orphans.letters);
      },
      onAdopted: () => {
        if (this.#taking !== taking) return;
        this.#taking = null;
        this.#rest(taking.sender);
        this.taken++;
        this.#seals.add(taking.agreed.seal);
        log.warn({ ...factsOf(taking.sender), upTo, bytes: taking.received }, TAKEN);
        this.#onTaken();
      },
      onFailed: (problem) => {
        if (this.#taking !== taking) return;
        // It is as long as the one that was signed, and different: that is known only now that all of it has been
        // received.
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
    this.#rest(taking.sender);
    this.#cluster.log.warn({ ...factsOf(taking.sender), reason }, GIVEN_UP);
  }

  #rest({ id }: SnapshotSender): void {
    const { uptime, limits } = this.#cluster;
    this.#rests.set(id, uptime() + limits.snapshotStuckMs);
  }

  /** Logs lost entries, never in silence: no other member may have them. */
  #logLost({ count, entries }: LostEntries, upTo: string, text: string): void {
    if (count === 0) return;
    this.orphaned += count;
    const { log } = this.#cluster;
    for (const some of linesOf(entries)) log.error({ count, upTo, entries: some }, text);
  }

  #logDeadLetters(letters: KeptLetters | null): void {
    const { log } = this.#cluster;
    if (letters === null || letters.kept + letters.left === 0) return;
    const { name, kept, left } = letters;
    if (kept > 0) log.warn({ kept, file: name }, KEPT);
    if (left > 0) log.error({ left }, NO_ROOM);
  }

  /** Logs entries that are probably in the snapshot: no alarm. */
  #logPossible({ count, entries }: LostEntries, upTo: string): void {
    if (count === 0) return;
    this.possiblyOrphaned += count;
    const { log } = this.#cluster;
    for (const some of linesOf(entries)) log.info({ count, upTo, entries: some }, POSSIBLE);
  }
}

/** Splits entries into lines of the log, at least one. */
function linesOf(entries: readonly Entry[]): string[][] {
  const lines: string[][] = [];
  for (let from = 0; from === 0 || from < entries.length; from += ORPHANED_A_LINE)
    lines.push(entries.slice(from, from + ORPHANED_A_LINE).map(textOf));
  return lines;
}

const factsOf = ({ id, connection }: SnapshotSender) => ({ member: hexOf(id), address: connection.remote });

/** Returns date, id, signer, and the commands' names: their arguments may be private. */
function textOf({ id, envelope: { at, key, commands } }: Entry): string {
  const names = commands.map(([name]) => name).join(" ");
  return `${dateText(at)} ${hexOf(id)} by ${hexOf(key)}: ${names}`;
}

const TAKING =
  "this daemon misses entries that no member stores any more: taking a member's snapshot instead";
const TAKEN = "a member's snapshot is taken over";
const ASIDE = "what was here before is kept in the folder `name`, until you remove it";
const NO_ASIDE = "what was here before is not kept, as there is no data folder";
const GIVEN_UP = "no snapshot could be taken from a member; it is tried again";
const STRAYS =
  "this daemon had entries of that time which the snapshot that it took over is not made of; they are gone here. Those that are not " +
  "named were forgotten here before, or are among the ones of which that is said not to be known. With --data they are kept as dead letters";
const POSSIBLE =
  "of these entries it is not known whether the snapshot that was taken over is made of them: it has sums alone, and of their " +
  "seconds it holds further ones. As a rule it is; their signers can check whether their effect is there";
const KEPT =
  "what the snapshot misses, or may miss, is stored as dead letters in `file`: dbsync dead-letters lists them, and writes them again";
const NO_ROOM =
  "`left` more are not stored as dead letters, as --max-dead-letter-bytes is reached: they are only in what was kept aside. Raise it, or write " +
  "letters again and remove them";
const UNVERIFIABLE =
  "the keys that signed these entries were added by entries which the snapshot that was taken over is not made of, so no other " +
  "daemon can verify them; they are gone here. Add the keys again, and have what they signed written again";
