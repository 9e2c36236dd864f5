/**
 * Watches the lists that members sign in a run, and records each violation of the rules of their agreement: two used
 * lists that share a member follow each other; so do the texts that one folder signs; and a text in use is on the disk
 * of each of its signers. Source: docs/decisions/0080-members-found-their-list.md.
 */
import { listOf } from "../../../daemon/cluster/members/check-list.js";
import type { MemberLists } from "../../../daemon/cluster/members/member-lists.js";
import type { ByteString } from "../../../protocol/byte-string.js";
import { readEntries } from "../../../protocol/members/member-elements.js";
import {
  accountsFor,
  isListText,
  type KnownList,
  type SignedList,
} from "../../../protocol/members/member-list.js";
import { readMemberSignatures } from "../../../protocol/members/member-signature.js";
import { shortId } from "../cast.js";
import { sha256 } from "../signatures.js";
import type { Host, World } from "../world.js";
import { listsOf, newestListsOf } from "./known-lists.js";

export class ListWatch {
  /** The lists that daemons have used, by hash. */
  readonly used = new Map<ByteString, SignedList>();
  readonly violations: string[] = [];
  /** The texts that each folder has signed, by the id of its daemon. */
  readonly #signed = new Map<ByteString, SignedList[]>();
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
  }

  /** Watches the lists of a daemon that has just started. */
  started(host: Host, lists: MemberLists): void {
    const { changed } = lists;
    lists.changed = () => {
      if (host.daemon?.lists === lists) this.note(host);
      changed();
    };
    this.note(host);
  }

  /** Records that a daemon has signed a text and stored it. */
  signed({ name, identity, daemon }: Host, text: SignedList): void {
    const { trace } = this.#world;
    trace(name, () => `has signed list ${shown(text)} of ${text.list.members.map(shortId)}`);
    const earlier = this.#signed.get(identity.id) ?? [];
    this.#signed.set(identity.id, [...earlier, text]);
    // A text with a number that the list in use has reached can no longer be complete.
    const reached = Math.max(0, ...(daemon?.lists?.heads ?? []).map(({ list }) => list.number));
    for (const before of earlier)
      if (before.list.number > reached && !follows(text, before))
        this.#violate(`${name} has signed list ${shown(text)}, which does not follow ${shown(before)}`);
  }

  /** Records the lists that a host's daemon uses. */
  note(host: Host): void {
    const { ledger, trace } = this.#world;
    for (const list of host.daemon?.lists?.heads ?? []) {
      if (this.used.has(list.hash) || host.isForeign) continue;
      trace(host.name, () => `uses list ${shown(list)} of ${list.list.members.map(shortId)}`);
      for (const earlier of this.used.values())
        if (sharesMember(list, earlier) && !follows(list, earlier) && !follows(earlier, list))
          this.#violate(
            `${host.name} uses list ${shown(list)}, and neither it nor ${shown(earlier)} follows`,
          );
      this.used.set(list.hash, list);
      ledger.decisions.members.set(list.hash, list.list.members);
      if (isListText(list.body)) this.#checkStored(list);
    }
    this.update();
  }

  /** Updates the members from the lists that the hosts have. */
  update(): void {
    const { hosts, genesis } = this.#world;
    const known = hosts.filter(({ isForeign }) => !isForeign).flatMap(listsOf);
    this.#world.heads = newestListsOf(known, genesis.cluster);
  }

  #violate(text: string): void {
    this.violations.push(text);
    this.#world.ledger.violate(text);
  }

  /** Checks that each signer of a text has stored it, or a later one, before it sent its signature. */
  #checkStored(list: SignedList): void {
    const signers = (readMemberSignatures(list.signature) ?? []).map(({ spki }) => sha256(spki));
    for (const { name, identity, disk } of this.#world.hosts) {
      if (!signers.includes(identity.id)) continue;
      const stored = storedText(disk.marks.get("signed-list"));
      if (stored === null || (stored.hash !== list.hash && !follows(stored, list)))
        this.#violate(`${name} has not stored list ${shown(list)}, which it has signed`);
    }
  }
}

function storedText(mark: Buffer | undefined): KnownList | null {
  const [entry] = mark === undefined ? [] : (readEntries(Buffer.from(mark)) ?? []);
  const list = entry === undefined ? null : listOf(entry.body, entry.signature);
  return list === null || "refused" in list ? null : list;
}

const sharesMember = ({ list }: KnownList, other: KnownList): boolean =>
  list.members.some((id) => other.list.members.includes(id));

const follows = ({ list, hash }: KnownList, earlier: KnownList): boolean =>
  hash === earlier.hash || accountsFor(list, earlier.list);

export const shown = ({ list, hash }: KnownList): string => `${list.number} ${shortId(hash)}`;
