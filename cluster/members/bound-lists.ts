/** The lists of members of a daemon with a timeline, bound to it and to its peering: what each asks of the others. */
import type { DaemonState } from "../../protocol/version-2/messages-v2.js";
import { MemberLists, type MemberListsParts } from "./member-lists.js";

export interface BoundListsParts extends Omit<MemberListsParts, "hasServed"> {
  readonly timeline: {
    /** The low watermark that was told last; 0: none yet. */
    readonly published: number;
  };
  /** Asked for later: it is made with the lists. */
  readonly peering: () => { readonly state: DaemonState; listsChanged(): void };
}

export function boundLists({ timeline, peering, ...parts }: BoundListsParts): MemberLists {
  const hasServed = () => timeline.published > 0 || peering().state !== "catching-up";
  const lists = new MemberLists({ ...parts, hasServed });
  lists.changed = () => peering().listsChanged();
  return lists;
}
