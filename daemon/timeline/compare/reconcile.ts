/**
 * Finds the entries that one of two members is missing. After at most two round trips the members know the ids of these
 * entries. The functions are pure: they use neither I/O nor a clock. All state is in the messages, so an interrupted
 * exchange costs nothing. daemon/cluster/peers/ uses the functions as follows:
 *
 *   one side  `start` → message;   either side  `answer(message)` → { reply, toSend, requested };
 *   send `reply` (if any) and the entries of `toSend` (through a RangeCursor, order-key-ranges.ts) to the other side,
 *   until there is no reply.
 *
 * The messages become finer step by step: sums of 262144, 4096 or 64 seconds (coarser for older dates) → sums of
 * 1 second → sums of groups of ids → short ids → requested ids. If one side has no entries, the other sends everything;
 * if one side has few entries, it sends their ids immediately. Source: docs/architecture.md "How daemons agree".
 */
import { type ByteString, bytesOf } from "../../../protocol/byte-string.js";
import type { Steps } from "../../../protocol/steps.js";
import type { DigestIndex, DigestSet } from "./digest-index.js";
import { groupOf, OrderKeyWalk, ownRows, shortId } from "./index-walk.js";
import { type OrderKeyRange, RangeList } from "./order-key-ranges.js";
import {
  GROUP_BITS_MAX,
  type GroupsSection,
  type IdsSection,
  ROW_SECONDS,
  readMessage,
  type Section,
  SHORT_BYTES,
  type SumRow,
  type SumsSection,
  writeMessage,
} from "./reconcile-message.js";

/** The result of a message. */
export interface Outcome {
  readonly set: DigestSet;
  /**
   * The reply for the other member, as one bulk string, or null if this side has nothing more to request or to compare.
   */
  readonly reply: Buffer | null;
  /** Ranges of entries that the other member is missing, oldest first; they do not touch. */
  readonly toSend: readonly OrderKeyRange[];
  /** The approximate number of entries that `reply` requests: the other member pushes them. */
  readonly requested: number;
}

/**
 * The maximum number of entries in a set for which all short ids are sent immediately. It is higher for the key ring,
 * without which the remaining entries cannot be verified.
 */
const ALL_IDS_MAX: Readonly<Record<DigestSet, number>> = { ring: 4096, data: 256 };
/** The maximum number of entries in a differing row for which their short ids are sent. */
const ROW_IDS_MAX = 32;
/**
 * The number of rows of 64 seconds (36 hours in total), and of rows of 4096 seconds (97 days), in a first message; rows
 * for earlier dates cover 3 days each.
 */
const FIRST_ROWS = 2048;
/**
 * A factor for the number of groups, chosen to minimize the cost of finding 100 differences among a million entries.
 */
const GROUPS_TARGET = 8192;
/** The maximum number of rows, of groups and of short ids in a reply. The next exchange sends the rest. */
const REPLY_MAX = 65_536;

/**
 * Makes the first message of an exchange. The ring comes first, then data.
 * @param salt  any integer ≥ 0, different for each exchange: it selects the bytes of ids that are compared
 */
export function* start(index: DigestIndex, set: DigestSet, salt: number): Steps<Buffer> {
  const reply = new Reply(index, set, salt % 4);
  const { count } = index.total(set);

  if (count <= ALL_IDS_MAX[set]) yield* reply.ids(0, Infinity);
  else {
    const last = yield* ownRows(index, set, 2, 0, Infinity);

    const newest = (last.at(-1) as SumRow).start;
    const fine = startOfRow(2, newest - FIRST_ROWS * 64);
    const middle = startOfRow(3, fine - FIRST_ROWS * 4096);

    if (middle > 0) yield* reply.sums(3, 0, middle);
    if (fine > 0) yield* reply.sums(2, middle, fine);
    yield* reply.sums(1, fine, Infinity);
  }

  return writeMessage(reply);
}

/** Returns the first second of the level's row that contains a second. */
const startOfRow = (level: number, second: number) => {
  const seconds = ROW_SECONDS[level] as number;
  return Math.max(0, Math.floor(second / seconds) * seconds);
};

/**
 * Answers a message of an exchange. Because the length of an exchange is bounded, one exchange may not find all
 * differences. As long as the totals differ, the caller should begin another exchange when all entries sent in the last
 * exchange have arrived.
 * @throws MalformedFrame  a message that no member sends
 */
export function* answer(index: DigestIndex, message: Buffer): Steps<Outcome> {
  const { set, salt, sections } = readMessage(message);
  const comparison = new Comparison(index, set, salt);
  for (const section of sections) yield* comparison.compare(section);
  return yield* comparison.finish();
}

/**
 * A part of the reply that concerns one range of time. It is written after all sections have been read, because the
 * size of groups depends on all sections.
 */
type Task =
  | { readonly kind: "ready"; readonly section: Section; readonly requested: number }
  | { readonly kind: "none"; readonly level: number; readonly from: number; to: number; requested: number }
  | { readonly kind: "ids"; readonly from: number; readonly to: number }
  | { readonly kind: "sums"; readonly level: number; readonly from: number; readonly to: number }
  | { readonly kind: "groups"; readonly from: number; readonly count: number };

class Comparison {
  readonly #index: DigestIndex;
  readonly #set: DigestSet;
  readonly #salt: number;
  readonly #walk: OrderKeyWalk;
  readonly #toSend = new RangeList();
  readonly #tasks: Task[] = [];

  constructor(index: DigestIndex, set: DigestSet, salt: number) {
    this.#index = index;
    this.#set = set;
    this.#salt = salt;
    this.#walk = new OrderKeyWalk(index, set);
  }

  *compare(section: Section): Steps<void> {
    this.#toSend.endRun();
    if (section.kind === "sums") yield* this.#compareSums(section);
    else if (section.kind === "groups") yield* this.#compareGroups(section);
    else if (section.kind === "ids") yield* this.#compareIds(section);
    else {
      const requested = shortIdsOf(section.ids);
      yield* this.#walk.visit(section, (orderKey) =>
        this.#toSend.visit(orderKey, requested.has(shortId(orderKey, this.#salt))),
      );
    }
  }

  *finish(): Steps<Outcome> {
    const reply = new Reply(this.#index, this.#set, this.#salt);
    let requested = 0;
    const total = this.#tasks.reduce((sum, task) => sum + (task.kind === "groups" ? task.count : 0), 0);

    for (const task of this.#tasks) {
      if (reply.isFull) break;
      if (task.kind === "ready") reply.add(task.section);
      else if (task.kind === "none") reply.add({ ...task, kind: "sums", rows: [] });
      else if (task.kind === "ids") yield* reply.ids(task.from, task.to);
      else if (task.kind === "sums") yield* reply.sums(task.level, task.from, task.to);
      else yield* reply.groups(task.from, groupBits(task.count, total));
      if ("requested" in task) requested += task.requested;
    }

    const { sections } = reply;
    return {
      set: this.#set,
      reply: sections.length === 0 ? null : writeMessage(reply),
      toSend: this.#toSend.finish(),
      requested,
    };
  }

  *#compareSums({ level, from, to, rows }: SumsSection): Steps<void> {
    const own = yield* ownRows(this.#index, this.#set, level, from, to);
    const seconds = ROW_SECONDS[level] as number;

    // A section without rows means that the other member has no entries in the range, and requests all entries.
    if (rows.length === 0) {
      if (own.length > 0) this.#toSend.span(from, to);
      return;
    }

    let theirs = 0;
    for (const row of own) {
      for (; theirs < rows.length && (rows[theirs] as SumRow).start < row.start; theirs++)
        this.#requestRow(level, rows[theirs] as SumRow);
      const other = rows[theirs];
      if (other?.start !== row.start) this.#toSend.span(row.start, row.start + seconds);
      else {
        theirs++;
        this.#differ(level, row, other);
      }
    }
    for (; theirs < rows.length; theirs++) this.#requestRow(level, rows[theirs] as SumRow);
  }

  /** Requests the entries of a row in which only the other member has entries. */
  #requestRow(level: number, { start, count }: SumRow): void {
    const end = start + (ROW_SECONDS[level] as number);
    const last = this.#tasks.at(-1);
    if (last?.kind === "none" && last.level === level && last.to === start) {
      last.to = end;
      last.requested += count;
    } else this.#tasks.push({ kind: "none", level, from: start, to: end, requested: count });
  }

  #differ(level: number, own: SumRow, other: SumRow): void {
    if (own.count === other.count && own.high === other.high && own.low === other.low) return;
    const from = own.start;
    const to = from + (ROW_SECONDS[level] as number);
    if (own.count <= ROW_IDS_MAX) this.#tasks.push({ kind: "ids", from, to });
    else if (level === 0) this.#tasks.push({ kind: "groups", from, count: own.count });
    else this.#tasks.push({ kind: "sums", level: level - 1, from, to });
  }

  *#compareGroups({ from, to, bits, sums }: GroupsSection): Steps<void> {
    const own = yield* this.#walk.groupSums(from, bits);
    const groups: number[] = [];
    const missing = new Set<number>();
    for (let group = 0; group < 1 << bits; group++) {
      const [high, low] = [sums[2 * group], sums[2 * group + 1]];
      if (high === own[2 * group] && low === own[2 * group + 1]) continue;
      if (high === 0 && low === 0) missing.add(group);
      else groups.push(group);
    }

    const ids = new Map(groups.map((group): [number, ByteString[]] => [group, []]));
    yield* this.#walk.visit({ from, to }, (orderKey) => {
      const group = groupOf(orderKey, bits);
      this.#toSend.visit(orderKey, missing.has(group));
      ids.get(group)?.push(shortId(orderKey, this.#salt));
    });

    let items = 0;
    for (const [group, list] of ids) {
      if (items > REPLY_MAX) ids.delete(group);
      items += list.length;
    }
    if (ids.size === 0) return;

    const all = bytesOfIds([...ids.values()].flat());
    const section: IdsSection = { kind: "ids", from, to, bits, groups: [...ids.keys()], ids: all };
    this.#tasks.push({ kind: "ready", section, requested: 0 });
  }

  *#compareIds({ from, to, bits, groups, ids }: IdsSection): Steps<void> {
    const theirs = shortIdsOf(ids);
    const named = bits === 0 ? null : new Set(groups);
    yield* this.#walk.visit({ from, to }, (orderKey) => {
      const isCompared = named === null || named.has(groupOf(orderKey, bits));
      this.#toSend.visit(orderKey, isCompared && !theirs.delete(shortId(orderKey, this.#salt)));
    });
    if (theirs.size === 0) return;
    const section: Section = { kind: "requests", from, to, ids: bytesOfIds([...theirs]) };
    this.#tasks.push({ kind: "ready", section, requested: theirs.size });
  }
}

/** The reply to the other member. */
class Reply {
  readonly set: DigestSet;
  readonly salt: number;
  readonly sections: Section[] = [];
  readonly #index: DigestIndex;
  readonly #walk: OrderKeyWalk;
  #items = 0;

  constructor(index: DigestIndex, set: DigestSet, salt: number) {
    this.#index = index;
    this.set = set;
    this.salt = salt;
    this.#walk = new OrderKeyWalk(index, set);
  }

  get isFull(): boolean {
    return this.#items >= REPLY_MAX;
  }

  add(section: Section): void {
    this.sections.push(section);
    if (section.kind === "sums") this.#items += section.rows.length;
    else if (section.kind === "groups") this.#items += section.sums.length / 2;
    else this.#items += section.ids.length / SHORT_BYTES;
  }

  *sums(level: number, from: number, to: number): Steps<void> {
    this.add({ kind: "sums", level, from, to, rows: yield* ownRows(this.#index, this.set, level, from, to) });
  }

  *groups(second: number, bits: number): Steps<void> {
    const sums = yield* this.#walk.groupSums(second, bits);
    this.add({ kind: "groups", from: second, to: second + 1, bits, sums });
  }

  *ids(from: number, to: number): Steps<void> {
    const ids: ByteString[] = [];
    yield* this.#walk.visit({ from, to }, (orderKey) => void ids.push(shortId(orderKey, this.salt)));
    this.add({ kind: "ids", from, to, bits: 0, groups: [0], ids: bytesOfIds(ids) });
  }
}

/**
 * Returns the binary logarithm of the number of groups for which the sums and ids of a second take the fewest bytes.
 */
function groupBits(count: number, total: number): number {
  const root = Math.sqrt(count);
  const groups = Math.min(8 * root, Math.max(root, (GROUPS_TARGET * count) / total));
  return Math.min(GROUP_BITS_MAX, Math.max(1, Math.round(Math.log2(groups))));
}

const bytesOfIds = (ids: readonly ByteString[]) => Buffer.from(ids.join(""), "latin1");

function shortIdsOf(ids: Buffer): Set<ByteString> {
  const found = new Set<ByteString>();
  for (let offset = 0; offset < ids.length; offset += SHORT_BYTES)
    found.add(bytesOf(ids, offset, offset + SHORT_BYTES));
  return found;
}
