/**
 * Handles entries that some members have pruned and that are missing on other members. gaps.ts detects such entries.
 * common-past.ts determines the date up to which all members have the same entries, and cut-voting.ts determines the
 * states that members have signed. Then snapshot-choice.ts selects the snapshot that may replace the missing entries,
 * and snapshot-taking.ts loads it. Source: docs/decisions/0016-a-snapshot-needs-a-majority.md.
 */

import type { ByteString } from "../../protocol/byte-string.js";
import type { Member } from "./member.js";
import { CommonPast } from "./past/common-past.js";
import { CutVoting } from "./past/cut-voting.js";
import { Gaps } from "./past/gaps.js";
import { SettlingDamage } from "./past/settling-damage.js";
import { SnapshotChoice } from "./past/snapshot-choice.js";
import { SnapshotTaking } from "./past/snapshot-taking.js";
import { type Report, reporterOf } from "./past/stable-point.js";
import type { Roster } from "./roster.js";
import type { ClusterState } from "./shared/cluster-state.js";

export class ForgottenPast {
  readonly gaps: Gaps;
  readonly snapshots: SnapshotTaking;
  readonly voting: CutVoting;
  readonly #cluster: ClusterState<Member>;
  readonly #common: CommonPast;
  readonly #damage: SettlingDamage;
  readonly #choice: SnapshotChoice;

  /** @param onTaken  called when a snapshot has replaced this daemon's entries */
  constructor(cluster: ClusterState<Member>, roster: Roster, onTaken: () => void) {
    this.#cluster = cluster;
    this.#common = new CommonPast(cluster);
    this.#damage = new SettlingDamage(cluster);
    this.voting = new CutVoting(cluster, this.#common, (id) => roster.banPermanently(id));
    const gaps = new Gaps(cluster, this.voting);
    this.gaps = gaps;
    this.snapshots = new SnapshotTaking(cluster, () => {
      onTaken();
      gaps.changed();
    });
    this.#choice = new SnapshotChoice(cluster, { gaps, voting: this.voting, taking: this.snapshots });
  }

  start(): void {
    this.voting.start();
  }

  stop(): void {
    this.snapshots.stop();
  }

  tick(now: number): void {
    const members = [...this.#cluster.members.values()];
    this.snapshots.tick(now, this.#choice.choices(now, members));
    this.#common.tick(now, () =>
      members.map((member) => ({ ...reporterOf(member), isCatchingUp: member.isCatchingUp })),
    );
    this.voting.tick(now);
    this.#damage.tick(now, () => members.map(reporterOf));
  }

  /** Called when a member has connected, before this daemon knows what entries the member has. */
  joined(): void {
    this.#common.joined();
  }

  /** Called when a member has disconnected. */
  left(id: ByteString): void {
    this.#common.left(id);
    this.gaps.left(id);
    this.snapshots.left(id);
  }

  reported(id: ByteString, report: Report): void {
    this.#common.reported(id, report);
    this.#damage.reported(id, report);
    this.gaps.reported(id, report);
  }

  /**
   * The option with which an operator can make this daemon adopt a member's snapshot in place of missing entries, or
   * null if no operator has to decide.
   */
  get order(): string | null {
    return this.#choice.order;
  }
}
