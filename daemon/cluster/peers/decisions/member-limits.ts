/**
 * Limits how much one member can disturb the decisions of the others: how often its ballots replace those of another
 * keeper, and how many of its messages are processed. Only what a majority has decided moves these limits, never what
 * the member sends. Source: docs/protocol-v2.md "Decisions".
 */
import type { ByteString } from "../../../../protocol/byte-string.js";

/**
 * Milliseconds after a member's turn as the keeper has begun in which it can begin no other one: at first, and the
 * maximum. The pause doubles with each turn, and each decision of the member's turns halves it.
 */
const PAUSE_MS = 2_000;
const PAUSE_MS_MAX = 16_000;
/** Milliseconds without a turn after which a member's earlier turns no longer count. */
const FORGET_MS = 120_000;
/** The number of turns without a decision, one after the other, from which on a member is reported. */
const VAIN_TURNS = 4;

interface Turn {
  beganAt: number;
  pause: number;
  /** The number of turns since the last decision. */
  vain: number;
}

/** The turns of the members as keepers: a turn is the ballots of one member in one round. */
export class Turns {
  readonly #turns = new Map<ByteString, Turn>();

  /** Whether a member may begin a turn now. */
  mayBegin(member: ByteString, now: number): boolean {
    const turn = this.#turns.get(member);
    return turn === undefined || now - turn.beganAt >= turn.pause;
  }

  /** @param canDecide  whether enough members are connected: otherwise the turn does not count as one in vain */
  begin(member: ByteString, now: number, canDecide: boolean): void {
    const known = this.#turns.get(member);
    const { pause, vain } =
      known === undefined || now - known.beganAt >= FORGET_MS ? { pause: 0, vain: 0 } : known;
    const next = Math.min(Math.max(2 * pause, PAUSE_MS), PAUSE_MS_MAX);
    this.#turns.set(member, { beganAt: now, pause: next, vain: canDecide ? vain + 1 : vain });
  }

  /**
   * Called when a majority has made a decision in a member's turn.
   * @param isFair  whether no other unit waits for long; otherwise the pause remains
   */
  decided(member: ByteString, isFair: boolean): void {
    const turn = this.#turns.get(member);
    if (turn === undefined) return;
    if (isFair) turn.pause /= 2;
    turn.vain = 0;
  }

  /** Returns the members whose turns have repeatedly led to no decision. */
  vain(now: number): ByteString[] {
    const isVain = ({ beganAt, vain }: Turn): boolean => vain >= VAIN_TURNS && now - beganAt < FORGET_MS;
    return [...this.#turns].filter(([, turn]) => isVain(turn)).map(([member]) => member);
  }
}

/**
 * The number of attempts that one member's objections may prevent, and the milliseconds after which they are forgotten.
 */
const PREVENTED_MAX = 3;
const PREVENTED_MS = 60_000;

/**
 * The members whose objections have prevented this daemon's attempts as the keeper, although no other member objected.
 */
export class Objectors {
  readonly #found = new Map<ByteString, { readonly since: number; count: number }>();

  /** Called when an attempt was given up. @param objectors  the members that objected */
  prevented(objectors: readonly ByteString[], now: number): void {
    const [only, ...others] = objectors;
    if (only === undefined || others.length > 0) return;
    const known = this.#found.get(only);
    if (known === undefined || now - known.since >= PREVENTED_MS)
      this.#found.set(only, { since: now, count: 1 });
    else known.count++;
  }

  /** Whether a member has prevented too many attempts, so that its objections no longer count. */
  has(member: ByteString, now: number): boolean {
    const found = this.#found.get(member);
    return found !== undefined && found.count >= PREVENTED_MAX && now - found.since < PREVENTED_MS;
  }

  /** Returns the members whose objections do not count. */
  all(now: number): ByteString[] {
    return [...this.#found.keys()].filter((member) => this.has(member, now));
  }
}

/** The maximum number of messages of one member that are processed per second, apart from those for decisions. */
const MESSAGES_PER_SECOND = 64;
/** The number of further ones for each proposal that is decided: the proposal and a vote, each sent twice. */
const MESSAGES_PER_DECISION = 4;
/** The number of decisions that one message of a proposal may have; more of them count as further messages. */
const DECISIONS_PER_MESSAGE = 8;
const SECOND_MS = 1_000;

/** The number of the messages of each member in the present second. */
export class MessageLimit {
  readonly #counts = new Map<ByteString, number>();
  #since = 0;
  #decided = 0;

  /**
   * Counts a message.
   * @param decisions  the number of decisions in it, whose units' signatures have to be checked
   * @returns whether it is processed
   */
  admits(member: ByteString, now: number, decisions = 1): boolean {
    if (now - this.#since >= SECOND_MS) {
      this.#counts.clear();
      this.#decided = 0;
      this.#since = now;
    }
    const count = (this.#counts.get(member) ?? 0) + messagesOf(decisions);
    this.#counts.set(member, count);
    return count <= MESSAGES_PER_SECOND + MESSAGES_PER_DECISION * this.#decided;
  }

  /** Called when a majority has made the decisions of a proposal. */
  decided(decisions: number): void {
    this.#decided += messagesOf(decisions);
  }
}

const messagesOf = (decisions: number): number => Math.ceil(decisions / DECISIONS_PER_MESSAGE);
