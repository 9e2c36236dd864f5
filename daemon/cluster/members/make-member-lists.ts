/** Creates the member lists of a daemon with a timeline, and connects them with its peering. */

import type { ByteString } from "../../../protocol/byte-string.js";
import type { DaemonState } from "../../../protocol/version-2/messages-v2.js";
import type { Signers } from "../../engine/trust/signers.js";
import type { Storage } from "../../timeline/entries/storage.js";
import { MemberLists } from "./member-lists.js";

/** The node. Its `peering` is created after the lists. Therefore that property is read only when it is needed. */
interface Bound {
  readonly storage: Storage;
  readonly signers: Signers;
  readonly identity: { readonly id: ByteString };
  /** `published` is the low watermark that was reported last, or 0 if there is none yet. */
  readonly timeline: { readonly published: number };
  readonly peering: { readonly state: DaemonState; listsChanged(): void };
}

export function boundLists(node: Bound): MemberLists {
  const { storage, signers, identity } = node;
  const hasServed = () => node.timeline.published > 0 || node.peering.state !== "catching-up";
  const lists = new MemberLists(storage, signers, identity.id, hasServed);
  lists.changed = () => node.peering.listsChanged();
  return lists;
}
