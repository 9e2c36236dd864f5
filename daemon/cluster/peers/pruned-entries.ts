/**
 * The entries that some members have pruned and that are missing on other members. missing-entries.ts detects such
 * entries. common-date.ts determines the date up to which all members have the same entries, and cut-voting.ts
 * determines the states that members have signed. Then snapshot-choice.ts selects the snapshot that may replace the
 * missing entries, and snapshot-taking.ts loads it. Source: docs/decisions/0016-a-snapshot-needs-a-majority.md.
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import { CommonDate } from "./finality/common-date.js";
import { CutVoting } from "./finality/cut-voting.js";
import { MissingEntries } from "./finality/missing-entries.js";
import type { ReportTable } from "./finality/report-table.js";
import { SettlingDamage } from "./finality/settling-damage.js";
import { SnapshotChoice } from "./finality/snapshot-choice.js";
import { SnapshotTaking } from "./finality/snapshot-taking.js";
import type { Member } from "./member.js";
import type { Roster } from "./roster.js";
import type { ClusterState } from "./shared/cluster-state.js";

export class PrunedEntries {
  readonly missing: MissingEntries;
  readonly snapshots: SnapshotTaking;
  readonly voting: CutVoting;
  readonly #cluster: ClusterState<Member>;
  readonly #common: CommonDate;
  readonly #damage: SettlingDamage;
  readonly #choice: SnapshotChoice;

  /** @param onTaken  called when a snapshot has replaced this daemon's entries */
  constructor(cluster: ClusterState<Member>, reports: ReportTable, roster: Roster, onTaken: () => void) {
    this.#cluster = cluster;
    this.#common = new CommonDate(cluster, reports);
    this.#damage = new SettlingDamage(cluster, reports);
    this.voting = new CutVoting(cluster, this.#common, (id) => roster.banPermanently(id));

    const missing = new MissingEntries(cluster, this.voting, reports);
    this.missing = missing;

    this.snapshots = new SnapshotTaking(cluster, () => {
      onTaken();
      missing.changed();
    });
    this.#choice = new SnapshotChoice(cluster, { missing, voting: this.voting, taking: this.snapshots });
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
    this.#common.tick(now, members);
    this.voting.tick(now);
    this.#damage.tick(now);
  }

  /** Called when a member has connected, before this daemon knows what entries the member has. */
  joined(): void {
    this.#common.joined();
  }

  /** Called when a member has disconnected. */
  disconnected(id: ByteString): void {
    this.#common.disconnected(id);
    this.missing.disconnected(id);
    this.snapshots.disconnected(id);
  }

  /** Called when a member's report on a date has arrived. */
  reported(id: ByteString, at: number): void {
    this.missing.reported(id, at);
  }

  /**
   * The option with which an operator can make this daemon adopt a member's snapshot in place of missing entries, or
   * null if no operator has to decide.
   */
  get adoptOption(): string | null {
    return this.#choice.adoptOption;
  }
}
