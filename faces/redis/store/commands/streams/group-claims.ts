/** XACK, XCLAIM and XAUTOCLAIM. Behaviour and error texts are those of Redis 7; test/conformance checks them. */

import { custom, echoed, syntaxError } from "../../../../../daemon/store/arguments/command-errors.js";
import { parseInteger } from "../../../../../daemon/store/arguments/number-arguments.js";
import { SORTED_MEMBER_STEPS } from "../../../../../daemon/store/keyspace/effort-budget.js";
import type { Data } from "../../../../../daemon/store/keyspace/mutators.js";
import type { Unit } from "../../../../../daemon/store/keyspace/unit.js";
import type { ByteString } from "../../../../../protocol/byte-string.js";
import { array, bulk, integer, type Reply, ZERO } from "../../../../../protocol/reply.js";
import type { Choice } from "../../../../../protocol/version-2/envelope.js";
import { markGroup, seenConsumer, setPending } from "../../keyspace/stream-mutators.js";
import {
  DELIVERIES_MAX,
  nextDeliveryCount,
  type Pending,
  sharedPending,
} from "../../values/streams/consumer-group.js";
import {
  STREAM_ID_MAX,
  type StreamEntry,
  type StreamId,
  streamIdText,
} from "../../values/streams/stream-id.js";
import {
  type GroupOfStream,
  groupArgument,
  groupIfAny,
  idArgument,
  idIfAny,
  minIdleArgument,
  startArgument,
} from "./stream-arguments.js";
import { entryReply } from "./stream-reads.js";

/** Default of XAUTOCLAIM's COUNT. */
const AUTOCLAIM_COUNT = 100;
/** Number of entries that XAUTOCLAIM may check for each entry of COUNT. */
const LOOKS_FOR_EACH = 10;
/** Redis's maximum for COUNT, which follows from the memory that Redis would allocate. */
const AUTOCLAIM_COUNT_MAX = 2n ** 59n - 1n;
/** Number of deliveries of an entry that FORCE claims although it was not delivered before, as in Redis. */
const UNCLAIMED_DELIVERIES = 1;

/** Cost in steps of each entry that is returned to a consumer. */
const ANSWERED_STEPS = 50;
/** Cost in steps of each pending entry that is only checked. */
const LOOKED_AT_STEPS = 50;

/**
 * Counts an entry that is about to be assigned to another consumer, and its reply.
 * @param entry undefined if the entry was deleted
 * @throws BudgetExceeded
 */
export function countHandedOut({ effort }: Data, entry: StreamEntry | undefined): void {
  effort.produce(SORTED_MEMBER_STEPS);
  effort.work(ANSWERED_STEPS + (entry?.fields.length ?? 0));
}

export function xack(data: Data, argv: readonly ByteString[]): Reply {
  const groupOfStream = groupIfAny(data, argv[1]!, argv[2]!);
  if (groupOfStream === undefined) return ZERO;
  const { group } = groupOfStream;
  // All ids are parsed before any entry is acknowledged.
  const ids = argv.length === 4 ? [idArgument(argv[3]!)] : new Set(argv.slice(3).map(idArgument));
  const changes: (readonly [StreamId, undefined])[] = [];
  for (const id of ids) if (group.pending.get(id) !== undefined) changes.push([id, undefined]);
  setPending(data, group, changes);
  return integer(changes.length);
}

/** An entry that is transferred, and the consumer that must still have it. */
interface Transfer {
  readonly id: StreamId;
  /** What `ownerOf` returned where a daemon answered the command; undefined if it has recorded nothing. */
  readonly owner: ByteString | undefined;
}

/** Returns the consumer that an entry is pending for, as a choice names it; "" if it is not pending. */
const ownerOf = (pending: Pending | undefined): ByteString =>
  pending === undefined ? "" : `=${pending.consumer.name}`;
/** Returns the same for an entry that was deleted. */
const ownerOfDeleted = (pending: Pending): ByteString => `-${pending.consumer.name}`;

/** Reads the transfers of a choice: ids, each followed by the owner. */
function transfersOf(choice: Choice): Transfer[] {
  const transfers: Transfer[] = [];
  for (let i = 0; i + 1 < choice.length; i += 2)
    transfers.push({ id: idIfAny(choice[i]!) ?? 0n, owner: choice[i + 1]! });
  return transfers;
}

export function xclaim(data: Data, argv: readonly ByteString[], { at, choice, taken }: Unit): Reply {
  const { stream, group } = groupArgument(data, argv[1]!, argv[2]!);
  const minIdle = minIdleArgument(argv[4]!, "XCLAIM");
  const options = claimOptions(argv, at);
  if (options.lastId > group.marks.lastId) markGroup(data, group, { ...group.marks, lastId: options.lastId });
  const items: Reply[] = [];
  let last: Pending | undefined;
  const requested = options.ids.map((id): Transfer => ({ id, owner: undefined }));
  if (choice !== undefined) dropDeleted(data, { stream, group }, options.ids);
  for (const { id, owner } of choice === undefined ? requested : transfersOf(choice)) {
    const pending = group.pending.get(id);
    const entry = stream.find(id);
    countHandedOut(data, entry);
    if (entry === undefined) {
      if (pending !== undefined) setPending(data, group, [[id, undefined]]);
      continue;
    }

    const refuses = pending === undefined ? !options.force : isTooYoung(pending, at, minIdle);
    if (owner === undefined ? refuses : owner !== ownerOf(pending)) continue;
    taken?.push(streamIdText(id), ownerOf(pending));

    // A consumer that claims nothing is neither created nor recorded as seen.
    const consumer = seenConsumer(data, group, argv[3]!);
    const deliveries = deliveriesOf(options, pending?.deliveries ?? UNCLAIMED_DELIVERIES);
    last = sharedPending({ consumer, deliveredAt: options.deliveredAt, deliveries }, last);
    // The change is made before the next id is checked, because the same id may occur several times.
    setPending(data, group, [[id, last]]);
    items.push(claimedReply(entry, options.justId));
  }

  return array(items);
}

/** Removes pending entries that the stream no longer has. */
function dropDeleted(data: Data, { stream, group }: GroupOfStream, ids: readonly StreamId[]): void {
  for (const id of ids) {
    if (group.pending.get(id) === undefined || stream.find(id) !== undefined) continue;
    countHandedOut(data, undefined);
    setPending(data, group, [[id, undefined]]);
  }
}

export function xautoclaim(data: Data, argv: readonly ByteString[], unit: Unit): Reply {
  const minIdle = minIdleArgument(argv[4]!, "XAUTOCLAIM");
  const start = startArgument(argv[5]!);
  const options = autoclaimOptions(argv);
  const source = groupArgument(data, argv[1]!, argv[2]!);
  const found = { items: [], deleted: [], changes: [] };
  const claim: AutoClaim = { ...source, ...found, consumer: argv[3]!, justId: options.justId };
  const { at, choice } = unit;
  const next =
    choice === undefined
      ? claimIdle(data, claim, { start, minIdle, count: options.count }, unit)
      : claimChosen(data, claim, choice, at);
  setPending(data, claim.group, claim.changes);
  return array([bulk(next), array(claim.items), array(claim.deleted)]);
}

/** A call of XAUTOCLAIM, with what it has found so far. */
interface AutoClaim extends GroupOfStream {
  readonly consumer: ByteString;
  readonly justId: boolean;
  readonly items: Reply[];
  /** The ids of deleted entries. */
  readonly deleted: Reply[];
  readonly changes: [StreamId, Pending | undefined][];
}

interface IdleSearch {
  readonly start: StreamId;
  readonly minIdle: number;
  readonly count: number;
}

/** Transfers entries that have been pending long enough. @returns the id with which the next call should begin */
function claimIdle(
  data: Data,
  claim: AutoClaim,
  { start, minIdle, count }: IdleSearch,
  { at, taken }: Unit,
): ByteString {
  const { stream, group, changes } = claim;
  const transfers: ByteString[] = [];
  let looks = count * LOOKS_FOR_EACH;
  let next: StreamId = 0n;
  for (const [id, pending] of group.pending.range(start, STREAM_ID_MAX)) {
    if (looks-- === 0 || changes.length === count) {
      next = id;
      break;
    }

    const entry = stream.find(id);
    if (entry !== undefined && isTooYoung(pending, at, minIdle)) {
      data.effort.work(LOOKED_AT_STEPS);
      continue;
    }

    if (taken !== undefined)
      transfers.push(streamIdText(id), entry === undefined ? ownerOfDeleted(pending) : ownerOf(pending));
    transfer(data, claim, { id, pending, entry }, at);
  }

  const cursor = streamIdText(next);
  taken?.push(cursor);
  if (taken !== undefined) for (const one of transfers) taken.push(one);
  return cursor;
}

/**
 * Transfers the entries that a daemon has recorded, however long they have been pending, from the consumers that had
 * them there.
 * @param choice  the cursor, then ids, each followed by its owner
 * @returns the cursor
 */
function claimChosen(
  data: Data,
  claim: AutoClaim,
  [cursor = "0-0", ...transfers]: Choice,
  at: number,
): ByteString {
  for (const { id, owner } of transfersOf(transfers)) {
    const pending = claim.group.pending.get(id);
    const entry = claim.stream.find(id);
    if (pending === undefined) continue;
    const isDeleted = entry === undefined && owner === ownerOfDeleted(pending);
    if (isDeleted || owner === ownerOf(pending)) transfer(data, claim, { id, pending, entry }, at);
  }
  return cursor;
}

interface PendingEntry {
  readonly id: StreamId;
  readonly pending: Pending;
  /** Undefined if the entry was deleted. */
  readonly entry: StreamEntry | undefined;
}

/** Transfers an entry to the consumer, or removes it from the pending entries if it was deleted. */
function transfer(
  data: Data,
  { group, consumer: name, justId, items, deleted, changes }: AutoClaim,
  { id, pending, entry }: PendingEntry,
  at: number,
): void {
  countHandedOut(data, entry);
  if (entry === undefined) {
    deleted.push(bulk(streamIdText(id)));
    changes.push([id, undefined]);
    return;
  }
  const consumer = seenConsumer(data, group, name);
  const deliveries = justId ? pending.deliveries : nextDeliveryCount(pending.deliveries);
  changes.push([id, sharedPending({ consumer, deliveredAt: at, deliveries }, changes.at(-1)?.[1])]);
  items.push(claimedReply(entry, justId));
}

function autoclaimOptions(argv: readonly ByteString[]): { count: number; justId: boolean } {
  let count = AUTOCLAIM_COUNT;
  let justId = false;
  for (let i = 6; i < argv.length; i++) {
    const word = argv[i]!.toUpperCase();
    if (word === "COUNT" && i + 1 < argv.length) {
      const value = parseInteger(argv[++i]!);
      if (value === undefined || value < 1 || value > AUTOCLAIM_COUNT_MAX)
        throw custom("ERR COUNT must be > 0");
      count = Number(value);
    } else if (word === "JUSTID") justId = true;
    else throw syntaxError();
  }

  return { count, justId };
}

const isTooYoung = ({ deliveredAt }: Pending, at: number, minIdle: number): boolean =>
  minIdle > 0 && at - deliveredAt < minIdle;

function deliveriesOf({ deliveries, justId }: ClaimOptions, before: number): number {
  if (deliveries !== null) return deliveries;
  return justId ? before : nextDeliveryCount(before);
}

const claimedReply = (entry: StreamEntry, justId: boolean): Reply =>
  justId ? bulk(streamIdText(entry.id)) : entryReply(entry);

interface ClaimOptions {
  readonly ids: readonly StreamId[];
  /** Whether to claim even entries that are not pending for any consumer. */
  readonly force: boolean;
  /** Whether only ids are returned, and the claim does not count as a delivery. */
  readonly justId: boolean;
  /** The time of the delivery, in milliseconds since 1970. */
  readonly deliveredAt: number;
  /** The number of deliveries; null means one more than before. */
  readonly deliveries: number | null;
  /** The group's new last id; 0 if none was specified. */
  readonly lastId: StreamId;
}

/**
 * Reads the arguments of XCLAIM after the minimum idle time: ids, then options.
 * @param at the unit's date @throws CommandFailure
 */
function claimOptions(argv: readonly ByteString[], at: number): ClaimOptions {
  const ids: StreamId[] = [];
  let next = 5;
  for (; next < argv.length; next++) {
    const id = idIfAny(argv[next]!);
    if (id === undefined) break;
    ids.push(id);
  }

  const reader = new OptionReader(argv, next);
  reader.read(at);
  const { force, justId, lastId } = reader;
  // A negative time, or a time after the unit's date, means the unit's date.
  const isValidTime = reader.deliveredAt >= 0 && reader.deliveredAt <= at;
  return {
    ids,
    force,
    justId,
    lastId,
    deliveredAt: isValidTime ? reader.deliveredAt : at,
    deliveries: reader.deliveries < 0 ? null : Math.min(reader.deliveries, DELIVERIES_MAX),
  };
}

class OptionReader {
  force = false;
  justId = false;
  lastId: StreamId = 0n;
  deliveredAt = -1;
  deliveries = -1;
  readonly #argv: readonly ByteString[];
  #index: number;

  constructor(argv: readonly ByteString[], index: number) {
    this.#argv = argv;
    this.#index = index;
  }

  read(at: number): void {
    while (this.#index < this.#argv.length) {
      const argument = this.#argv[this.#index++]!;
      const word = argument.toUpperCase();
      const hasMore = this.#index < this.#argv.length;
      if (word === "FORCE") this.force = true;
      else if (word === "JUSTID") this.justId = true;
      else if (word === "IDLE" && hasMore) this.deliveredAt = at - this.#number(word);
      else if (word === "TIME" && hasMore) this.deliveredAt = this.#number(word);
      else if (word === "RETRYCOUNT" && hasMore) this.deliveries = this.#number(word);
      else if (word === "LASTID" && hasMore) this.lastId = idArgument(this.#next());
      else throw custom(`ERR Unrecognized XCLAIM option '${echoed(argument, Number.POSITIVE_INFINITY)}'`);
    }
  }

  #number(option: string): number {
    const value = parseInteger(this.#next());
    if (value === undefined) throw custom(`ERR Invalid ${option} option argument for XCLAIM`);
    return Number(value);
  }

  #next(): ByteString {
    return this.#argv[this.#index++]!;
  }
}
