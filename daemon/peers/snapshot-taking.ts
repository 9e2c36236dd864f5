/**
 * Takes a snapshot from a live member, when entries lack here that nobody who is connected keeps any more: asks for its
 * parts, a few at a time, and has the timeline begin with it once it is whole. One member after the other is asked.
 */
import type { ByteString } from "../../protocol/byte-string.js";
import { dateText, hexOf } from "../../protocol/envelope.js";
import type { OwnMessage, SnapshotPartMessage } from "../../protocol/member-messages.js";
import type { Entry } from "../../timeline/entry.js";
import type { LostEntries } from "../../timeline/handover.js";
import type { StagedSnapshot } from "../../timeline/snapshot-files.js";
import type { PeeringParts } from "./peering-parts.js";

/** Milliseconds between two lines of the log. */
const PROGRESS_EVERY_MS = 5000;
/** Strays in one line of the log. */
const STRAYS_A_LINE = 20;

/** A member that could give one. */
export interface SnapshotGiver {
  readonly id: ByteString;
  readonly connection: { readonly remote: string; send(message: OwnMessage): void };
}

export interface SnapshotTakingParts {
  readonly peering: Pick<PeeringParts, "timeline" | "uptime" | "limits" | "log">;
  /** The timeline has begun anew. */
  readonly taken: () => void;
}

/** How far it is. */
export interface SnapshotProgress {
  /** Whom it is from. */
  readonly address: string;
  readonly received: number;
  /** 0: not known yet. */
  readonly total: number;
}

/** One that is on its way. Times are `uptime` milliseconds. */
interface Taking {
  readonly giver: SnapshotGiver;
  staged: StagedSnapshot | null;
  total: number;
  received: number;
  /** Of the part that has to come next, and of the one that is to be asked for next. */
  number: number;
  asked: number;
  /** Whether all has come, and is being checked and taken over: nothing can end it any more. */
  isWhole: boolean;
  movedAt: number;
  saidAt: number;
}

export class SnapshotTaking {
  /** Since the start. */
  taken = 0;
  /** Own entries that went with snapshots, or may have, since the start. */
  strays = 0;
  readonly #parts: SnapshotTakingParts;
  #taking: Taking | null = null;
  /** Until when a member is not asked again; `uptime` milliseconds. */
  readonly #rests = new Map<ByteString, number>();

  constructor(parts: SnapshotTakingParts) {
    this.#parts = parts;
  }

  get progress(): SnapshotProgress | null {
    if (this.#taking === null) return null;
    const { giver, received, total } = this.#taking;
    return { address: giver.connection.remote, received, total };
  }

  /** @param givers  whom one may be taken from, the best one first; none: there is no need */
  tick(now: number, givers: readonly SnapshotGiver[]): void {
    const taking = this.#taking;
    if (taking === null) {
      const giver = givers.find(({ id }) => now >= (this.#rests.get(id) ?? 0));
      if (giver !== undefined) this.#begin(giver, now);
      return;
    }
    if (taking.isWhole) return;
    if (!givers.includes(taking.giver)) this.#giveUp("it is not needed any more, or the member has gone");
    else if (now - taking.movedAt > this.#parts.peering.limits.snapshotStuckMs) this.#giveUp("nothing comes");
    else if (now - taking.saidAt > PROGRESS_EVERY_MS) {
      taking.saidAt = now;
      const { received, total } = taking;
      this.#parts.peering.log.info({ received, total }, "taking a snapshot");
    }
  }

  /** A member gives a part. @returns whether it was asked for */
  part(giver: SnapshotGiver, message: SnapshotPartMessage): boolean {
    const taking = this.#taking;
    // Of one that was given up some parts may still be on their way.
    if (taking === null || taking.giver !== giver || taking.isWhole) return this.#rests.has(giver.id);
    if (message.number !== taking.number) return false;
    if (message.at === 0) {
      this.#giveUp("it has none to give");
      return true;
    }
    if (taking.staged !== null && taking.staged.cutAt !== message.at) return false;
    taking.total = message.total;
    taking.received += message.bytes.length;
    const left = taking.total - taking.received;
    if (left < 0 || (message.isLast ? left > 0 : message.bytes.length === 0)) return false;
    taking.number++;
    taking.movedAt = this.#parts.peering.uptime();
    try {
      taking.staged ??= this.#stage(message.at);
      const { room } = taking.staged;
      // Nobody else knows how long it is: a member that lies must not fill the disk.
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

  /** Leaves nothing half done. */
  stop(): void {
    if (this.#taking?.isWhole === false) this.#taking.staged?.discard();
    this.#taking = null;
  }

  #begin(giver: SnapshotGiver, now: number): void {
    this.#taking = {
      ...{ giver, staged: null, total: 0, received: 0, number: 0, asked: 0 },
      ...{ isWhole: false, movedAt: now, saidAt: now },
    };
    this.#rests.delete(giver.id);
    this.#parts.peering.log.warn(factsOf(giver), TAKING);
    this.#ask(this.#taking);
  }

  /** For the first part alone, as with it its date is known. */
  #ask(taking: Taking): void {
    const { staged, giver, number } = taking;
    const until = staged === null ? 1 : number + this.#parts.peering.limits.snapshotParts;
    for (; taking.asked < until; taking.asked++)
      giver.connection.send({ kind: "snapshot-pull", at: staged?.cutAt ?? 0, number: taking.asked });
  }

  #stage(cutAt: number): StagedSnapshot {
    const { handover } = this.#parts.peering.timeline;
    if (handover === null) throw new Error("there is no place for it");
    return handover.stage(cutAt);
  }

  #adopt(taking: Taking, staged: StagedSnapshot): void {
    const { timeline, log } = this.#parts.peering;
    taking.isWhole = true;
    const upTo = dateText(staged.cutAt);
    timeline.handover?.adopt(staged, {
      strays: (strays) => {
        this.#tellLost(strays, upTo, STRAYS);
        this.#tellLost(strays.unverifiable, upTo, UNVERIFIABLE);
      },
      adopted: () => {
        if (this.#taking !== taking) return;
        this.#taking = null;
        this.#rest(taking.giver);
        this.taken++;
        log.warn({ ...factsOf(taking.giver), upTo, bytes: taking.total }, TAKEN);
        this.#parts.taken();
      },
      failed: (problem) => {
        if (this.#taking === taking) this.#giveUp(problem.message);
      },
    });
  }

  #giveUp(reason: string): void {
    const taking = this.#taking;
    if (taking === null) return;
    taking.staged?.discard();
    this.#taking = null;
    this.#rest(taking.giver);
    this.#parts.peering.log.warn({ ...factsOf(taking.giver), reason }, GIVEN_UP);
  }

  #rest({ id }: SnapshotGiver): void {
    const { uptime, limits } = this.#parts.peering;
    this.#rests.set(id, uptime() + limits.snapshotStuckMs);
  }

  /** Never in silence: nobody else may have them. */
  #tellLost({ count, entries }: LostEntries, upTo: string, text: string): void {
    if (count === 0) return;
    this.strays += count;
    const { log } = this.#parts.peering;
    for (let from = 0; from === 0 || from < entries.length; from += STRAYS_A_LINE) {
      const some = entries.slice(from, from + STRAYS_A_LINE).map(textOf);
      log.error({ count, upTo, entries: some }, text);
    }
  }
}

const factsOf = ({ id, connection }: SnapshotGiver) => ({ member: hexOf(id), address: connection.remote });

/** Date, id, signer, and what the commands are called: their arguments are nobody's business. */
function textOf({ id, envelope: { at, key, commands } }: Entry): string {
  const names = commands.map(([name]) => name).join(" ");
  return `${dateText(at)} ${hexOf(id)} by ${hexOf(key)}: ${names}`;
}

const TAKING = "this daemon lacks entries that no member keeps any more: taking a member's snapshot instead";
const TAKEN = "a member's snapshot is taken over; the member is believed for what it holds";
const GIVEN_UP = "no snapshot could be taken from a member; it is tried again";
const STRAYS =
  "this daemon had entries of that time which the snapshot that it took over may not be made of; they are gone here. " +
  "Their signers can look whether their effect is there, and write again";
const UNVERIFIABLE =
  "the keys that signed these entries were added by entries which the snapshot that was taken over is not made of, so no other " +
  "daemon can verify them; they are gone here. Add the keys again, and have what they signed written again";
