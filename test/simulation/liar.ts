/**
 * A byzantine member: a real daemon whose messages to other members are altered on their way out and mixed with forged
 * messages. It has its own key, but no key of a client or of root.
 */
import { unpack } from "../../daemon/cluster/peers/exchange/entry-packing.js";
import { bytesOf } from "../../protocol/byte-string.js";
import { MalformedFrame } from "../../protocol/errors.js";
import { type CutState, type CutVote, cutVoteBytes } from "../../protocol/members/cut-votes.js";
import {
  type DecisionMessage,
  readDecisionMessage,
  writeDecisionMessage,
} from "../../protocol/members/decision-messages.js";
import {
  packedBytes,
  readEntries,
  type Total,
  type Totals,
  writeEntries,
} from "../../protocol/members/member-elements.js";
import {
  type MemberMessage,
  type OwnMessage,
  type PushMessage,
  readMemberMessage,
  type StatusMessage,
  writeMemberMessage,
} from "../../protocol/members/member-messages.js";
import { randomBytes } from "./cast.js";
import { DecisionLiar } from "./decision-liar.js";
import type { Forger } from "./forger.js";
import type { Lie } from "./lies.js";
import { signatureOf } from "./signatures.js";
import { EPOCH, type Host, type World } from "./world.js";

const DAY_MS = 86_400_000;
/** The share of the messages affected by a lie that the liar alters. */
const ALTERED = 0.5;
/** Maximum number of messages that the liar stores in order to send them again. */
const KEPT_MAX = 40;
/** Maximum number of votes that the liar adds to a status. */
const VOTES_MAX = 4;
const INFLATED_MAX = 1 << 20;

export class Liar {
  readonly #world: World;
  readonly #host: Host;
  readonly #forger: Forger;
  readonly #decisions: DecisionLiar;
  readonly #kept: Buffer[] = [];
  /** The number of entries by which the liar always overstates its totals. */
  readonly #gap: number;

  constructor(world: World, host: Host, forger: Forger) {
    this.#world = world;
    this.#host = host;
    this.#forger = forger;
    this.#decisions = new DecisionLiar(world, host, (lie, share) => this.#lies(lie, share));
    this.#gap = world.random.between(1, 50);
  }

  /** Returns the frames to send in place of a frame. @param frame  a complete frame */
  alter(frame: Buffer, to: string): readonly Buffer[] {
    const { lies } = this.#world.settings;
    const message = messageOf(frame);
    if (message === null || !this.#isLying) return [frame];
    if (message.kind === "decision")
      return this.#decisions.alter(readDecisionMessage(message.message), to).map(frameOf);
    const altered = this.#altered(message, to);
    const frames = altered === null ? [] : [altered === message ? frame : writeMemberMessage(altered)];
    if (message.kind === "status") frames.push(...this.#added());
    if (lies.has("replay")) this.#keep(frame);
    return frames;
  }

  get #isLying(): boolean {
    const { scheduler, settings } = this.#world;
    return scheduler.time >= settings.liesFromMs;
  }

  #lies(lie: Lie, share = ALTERED): boolean {
    const { random, settings } = this.#world;
    return settings.lies.has(lie) && random.chance(share);
  }

  /** Returns the altered message, or null if nothing is sent. */
  #altered(message: OwnMessage, to: string): OwnMessage | null {
    switch (message.kind) {
      case "status":
        return this.#status(message, to);
      case "report":
        if (this.#lies("mute")) return null;
        return { ...message, ...this.#totals(message, to), watermark: this.#watermark(message.watermark) };
      case "push":
        // An empty message is sent with the same number, because a missing number would end the connection.
        if (this.#lies("withhold", 0.8))
          return { ...message, isDeflated: false, bytes: 0, entries: Buffer.alloc(0) };
        return this.#lies("forge") ? this.#push(message) : message;
      case "offer":
        return this.#lies("withhold", 0.8) ? null : message;
      case "snapshot-part":
        return this.#lies("snapshot") ? this.#part(message) : message;
      case "have":
      case "reconcile":
      case "given":
        return this.#lies("mute", 0.2) ? null : message;
      default:
        return message;
    }
  }

  #status(message: StatusMessage, to: string): StatusMessage {
    const { random } = this.#world;
    const now = this.#host.clock();
    const far = () => now + random.oneOf([DAY_MS, 1_000 * DAY_MS, -DAY_MS]);

    let { pruned, state, clock, latest } = message;
    if (this.#lies("gap", 1)) [pruned, state] = [Math.max(pruned, EPOCH + 1_000), "live"];
    if (this.#lies("pruned")) pruned = random.oneOf([EPOCH + random.below(20_000), now, far()]);
    if (this.#lies("state")) state = random.oneOf(["live", "catching-up", "isolated"] as const);
    if (this.#lies("clock")) clock = far();
    if (this.#lies("latest")) latest = random.oneOf([0, now, now + 10_000, far()]);

    return {
      ...message,
      pruned,
      state,
      clock,
      latest,
      watermark: this.#watermark(message.watermark),
      ...this.#totals(message, to),
    };
  }

  #watermark(watermark: number): number {
    if (!this.#lies("watermark")) return watermark;
    return this.#world.random.oneOf([0, this.#host.clock(), this.#host.clock() + 365 * DAY_MS]);
  }

  /** Overstates the liar's totals, by a constant or a random amount. */
  #totals({ ring, data }: Totals, to: string): Totals {
    const { random } = this.#world;
    const more = (total: Total, by: number): Total => ({
      count: total.count + by,
      sum: total.sum.slice(0, 31) + String.fromCharCode((total.sum.charCodeAt(31) + by) % 256),
    });
    if (this.#lies("gap", 1)) return { ring, data: more(data, this.#gap) };
    if (!this.#lies("counts")) return { ring, data };
    const by = random.oneOf([to.charCodeAt(1), random.below(1_000)]);
    return random.chance(0.5) ? { ring: more(ring, by), data } : { ring, data: more(data, by) };
  }

  #push(message: PushMessage): PushMessage {
    const { entries, isDeflated, bytes } = message;
    const plain = unpack(entries, isDeflated, bytes, INFLATED_MAX);
    const own = (plain === null ? null : readEntries(plain)) ?? [];
    const forged = this.#forger.forge();
    const all = this.#world.random.shuffled([...own, forged]);
    return {
      ...message,
      isDeflated: false,
      entries: writeEntries(all),
      bytes: all.reduce((sum, entry) => sum + packedBytes(entry), 0),
    };
  }

  #part(message: Extract<OwnMessage, { kind: "snapshot-part" }>): OwnMessage {
    const { random } = this.#world;
    const bytes = Buffer.from(message.bytes);
    if (bytes.length > 0 && random.chance(0.7))
      bytes.writeUInt8(random.below(256), random.below(bytes.length));
    const at = random.chance(0.2) ? this.#host.clock() + DAY_MS : message.at;
    return { ...message, at, bytes };
  }

  /** Returns messages that no member has requested. */
  #added(): Buffer[] {
    const { random } = this.#world;
    const frames: Buffer[] = [];
    if (this.#lies("votes")) frames.push(writeMemberMessage({ kind: "cuts", votes: this.#votes() }));
    frames.push(...this.#decisions.added().map(frameOf));
    if (this.#lies("history", 1)) frames.push(...this.#ownHistory());
    if (this.#lies("replay", 0.3) && this.#kept.length > 0) frames.push(random.oneOf(this.#kept));
    if (this.#lies("forge", 0.2)) {
      const { at, seq } = this.#forger.forge().envelope;
      const id = randomBytes(random, 32);
      frames.push(writeMemberMessage({ kind: "offer", orderKeys: [{ at, seq, id }] }));
    }
    return frames;
  }

  /**
   * Returns votes for invented states: at dates that other members sign, and at future dates, different for each
   * member.
   */
  #votes(): CutVote[] {
    const { random, hosts } = this.#world;
    const dates = hosts.flatMap(({ daemon }) => daemon?.timeline.handover.cuts.map(({ at }) => at) ?? []);
    const future = this.#host.clock() + random.oneOf([1_000, DAY_MS]);
    return Array.from({ length: random.between(1, VOTES_MAX) }, () => {
      const at = dates.length > 0 && random.chance(0.8) ? random.oneOf(dates) : future;
      return this.#vote({ at, bytes: random.below(10_000), seal: randomBytes(random, 32) });
    });
  }

  /** Returns the liar's vote for the state of its own history, before another member has seen that state. */
  #ownHistory(): Buffer[] {
    const cuts = this.#host.daemon?.timeline.handover.cuts ?? [];
    if (cuts.length === 0) return [];
    return [writeMemberMessage({ kind: "cuts", votes: cuts.map((cut) => this.#vote(cut)) })];
  }

  #vote({ at, bytes, seal }: CutState): CutVote {
    const { spki } = this.#host.identity;
    const signed = cutVoteBytes(this.#world.genesis.cluster, { at, bytes, seal });
    return { at, bytes, seal, spki, signature: bytesOf(signatureOf(spki, signed)) };
  }

  #keep(frame: Buffer): void {
    if (this.#kept.length < KEPT_MAX) this.#kept.push(Buffer.from(frame));
    else this.#kept[this.#world.random.below(KEPT_MAX)] = Buffer.from(frame);
  }
}

/** Returns the message, or null for a hello or another part of the handshake, which a liar does not alter. */
function messageOf(frame: Buffer): OwnMessage | null {
  const head = /^ds2:\d+:/.exec(frame.toString("latin1", 0, 20));
  if (head === null) return null;
  try {
    const message: MemberMessage = readMemberMessage(frame.subarray(head[0].length));
    return HONEST.has(message.kind) ? null : (message as OwnMessage);
  } catch (problem) {
    if (problem instanceof MalformedFrame) return null;
    throw problem;
  }
}

const frameOf = (message: DecisionMessage): Buffer =>
  writeMemberMessage({ kind: "decision", message: writeDecisionMessage(message) });

const HONEST: ReadonlySet<MemberMessage["kind"]> = new Set(["hello", "challenge", "proof", "bye"]);
