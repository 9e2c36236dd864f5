/**
 * The member lists of a run: the lists that were signed, the lists that some daemon knows, and the lists that daemons
 * may still receive.
 */

import { listOf } from "../../../daemon/cluster/members/check-list.js";
import type { ByteString } from "../../../protocol/byte-string.js";
import { readEntries } from "../../../protocol/members/member-elements.js";
import { type KnownList, takeList } from "../../../protocol/members/member-list.js";
import type { Host, World } from "../world.js";

/** Milliseconds after which a list that no daemon has accepted is no longer delivered. */
const IN_FLIGHT_MS = 15_000;

export const isInEach = (lists: readonly KnownList[], { identity }: Host): boolean =>
  lists.every(({ list }) => list.members.includes(identity.id));

/** Whether any of the given lists removes a host's daemon. */
export const isRemoved = (lists: readonly KnownList[], { identity }: Host): boolean =>
  lists.some(({ list }) => list.removed.includes(identity.id));

/** The signed lists, each with its time in milliseconds of the run. */
export class SignedLists {
  readonly #world: World;
  #recent: readonly { readonly known: KnownList; readonly at: number }[] = [];

  constructor(world: World) {
    this.#world = world;
  }

  add(known: KnownList): void {
    this.#world.ledger.decisions.members.set(known.hash, known.list.members);
    this.#recent = [...this.#recent, { known, at: this.#world.scheduler.time }];
    this.update();
  }

  /** Updates the members from the lists that daemons know or may receive. @param isKnown  only from those they know */
  update(isKnown = false): void {
    this.#world.heads = this.#heads(isKnown);
    this.#noteRotten();
  }

  /** Whether daemons may still receive a list that none of them knows, and that their lists do not follow. */
  get isInFlight(): boolean {
    const known = this.#heads(true).map(({ hash }) => hash);
    return this.#heads(false).some(({ hash }) => !known.includes(hash));
  }

  #heads(isKnown: boolean): readonly KnownList[] {
    const { hosts, scheduler, genesis } = this.#world;
    this.#recent = this.#recent.filter(({ at }) => scheduler.time - at < IN_FLIGHT_MS);
    const sent = isKnown ? [] : this.#recent.map(({ known }) => known);
    return newestListsOf([...sent, ...hosts.flatMap(listsOf)], genesis.cluster);
  }

  /** Records as lost each entry that has rotted on a member and is sound only on removed daemons. */
  #noteRotten(): void {
    const { honest, ledger } = this.#world;
    for (const { disk } of honest)
      for (const orderKey of [...disk.rotten, ...disk.missed])
        if (!honest.some((other) => other.stores(orderKey))) ledger.lost.add(orderKey);
  }
}

/** Returns the lists without a successor. */
export function newestListsOf(lists: readonly KnownList[], cluster: ByteString): readonly KnownList[] {
  let heads: readonly KnownList[] = [];
  for (const list of [...lists].sort((a, b) => a.list.number - b.list.number)) {
    const result = takeList(heads, list, cluster);
    if (typeof result === "object" && "heads" in result) heads = result.heads;
  }
  return heads;
}

/** Returns the lists that a host's daemon knows or, if the daemon is not running, the lists in its folder. */
export function listsOf({ daemon, disk }: Host): readonly KnownList[] {
  if (daemon?.lists != null) return daemon.lists.membership.heads;
  const kept = disk.marks.get("members");
  const entries = kept === undefined ? [] : (readEntries(Buffer.from(kept.subarray(1))) ?? []);
  return entries
    .map(({ body, signature }) => listOf(body, signature))
    .flatMap((list) => ("refused" in list ? [] : list));
}

/**
 * Whether a host has all final entries and knows that it is a member. A list must retain such a host; otherwise no
 * member could catch up.
 * @param isListed  whether there is a list
 */
export function isSound({ daemon }: Host, isListed: boolean): boolean {
  if (daemon === null || daemon.timeline.failure !== null || daemon.timeline.state !== "live") return false;
  if (daemon.peering.state === "catching-up") return false;
  const { lists } = daemon;
  return lists === null || !isListed || (lists.isMember && !lists.isJoining);
}
