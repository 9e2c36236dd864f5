/** What the members of a daemon have in common, and whom they tell. */

import type { CutVote } from "../../protocol/members/cut-votes.js";
import type { ListMessage } from "../../protocol/members/list-message.js";
import type { SnapshotPartMessage } from "../../protocol/members/member-messages.js";
import type { Intake } from "./exchange/intake.js";
import type { Packer } from "./exchange/packing.js";
import type { Spreading } from "./exchange/spreading.js";
import type { OwnClock } from "./own-clock.js";
import type { Gaps } from "./past/gaps.js";
import type { ClusterState } from "./shared/cluster-state.js";
import type { ExchangeMessage } from "./shared/exchange-message.js";
import type { FarewellCode } from "./shared/farewells.js";
import type { MessageFigures } from "./shared/message-figures.js";

/** What all members share. */
export interface MemberShared<Member> {
  readonly cluster: ClusterState;
  readonly spreading: Spreading;
  readonly intake: Intake;
  readonly clock: OwnClock;
  readonly gaps: Gaps;
  readonly packer: Packer;
  readonly onReported: (member: Member, report: ExchangeMessage & { kind: "report" }) => void;
  /** What a member says of its state. */
  readonly onCompared: (
    member: Member,
    message: ExchangeMessage & { kind: "state-sums" | "state-keys" },
  ) => void;
  /** What members have signed of their states. */
  readonly onVoted: (member: Member, votes: readonly CutVote[]) => void;
  /** By which list a member goes, or one that it gives. */
  readonly onListed: (member: Member, message: ListMessage) => void;
  /** It has said something for the first time. */
  readonly onSpoke: (member: Member) => void;
  /** A part of a snapshot has come. @returns whether it was asked for */
  readonly given: (member: Member, part: SnapshotPartMessage) => boolean;
  /** A member gave something new. */
  readonly onProgressed: () => void;
  /** An entry is longer than members take. */
  readonly onTooLong: (body: Buffer) => void;
  /** An entry of it was refused. */
  readonly onRefused: (member: Member, reason: string) => void;
  readonly messageFigures: MessageFigures;
  /** Messages of it were refused. @param isLie  no honest member would give them */
  readonly onUnheard: (member: Member, reason: string, isLie: boolean) => void;
  /** To be closed, and to be said in the log. */
  readonly drop: (member: Member, code: FarewellCode, detail: string) => void;
}
