/**
 * What members keep no entries of any more: who lacks some of it (gaps.ts), up to where all hold the same (common-past.ts),
 * what was signed of it (cut-voting.ts), and whose snapshot may take its place (snapshot-choice.ts, snapshot-taking.ts).
 * Source: docs/decisions/0016-a-snapshot-needs-a-majority.md.
 */

import type { LogThrottle } from "../../net/process/log-throttle.js";
import type { ByteString } from "../../protocol/byte-string.js";
import type { DaemonState } from "../../protocol/version-2/messages-v2.js";
import type { CatchingUp } from "./catching-up.js";
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

export interface ForgottenPastParts {
  readonly peering: ClusterState;
  readonly notices: LogThrottle;
  readonly roster: () => Roster;
  /** Members that have said something: before that they take no long messages. */
  readonly listening: () => Iterable<Member>;
  readonly catchingUp: () => CatchingUp;
  /** Of this daemon. */
  readonly state: () => DaemonState;
  /** A snapshot has taken the place of what was here. */
  readonly taken: () => void;
}

export class ForgottenPast {
  readonly gaps: Gaps;
  readonly snapshots: SnapshotTaking;
  readonly voting: CutVoting;
  readonly #parts: ForgottenPastParts;
  readonly #common: CommonPast;
  readonly #damage: SettlingDamage;
  readonly #choice: SnapshotChoice;

  constructor(parts: ForgottenPastParts) {
    this.#parts = parts;
    const { peering, notices, roster, listening, catchingUp, state } = parts;
    const electorate = () => roster().electorate;
    const beganEmpty = () => catchingUp().beganEmpty;
    this.#common = new CommonPast(peering);
    this.#damage = new SettlingDamage(peering);
    this.gaps = new Gaps({
      ...peering,
      notices,
      electorate,
      beganEmpty,
      isLiveHere: () => state() === "live",
      haveSigned: (id, at) => this.voting.haveSigned(id, at),
      hasServed: (id) => (roster().members.get(id)?.status?.watermark ?? 0) > 0,
      isLive: (id) => roster().members.get(id)?.status?.state === "live",
      ask: (at) => {
        for (const { connection } of listening()) connection.send({ kind: "report-request", at });
      },
    });
    this.voting = new CutVoting({
      peering,
      electorate,
      state,
      voters: listening,
      commonPast: () => this.#common.value,
      contradicted: (id) => roster().banForGood(id),
    });
    this.#choice = new SnapshotChoice({
      peering,
      notices,
      electorate,
      state,
      beganEmpty,
      gaps: this.gaps,
      voting: this.voting,
      isEverybodyHere: (now) => catchingUp().isEverybodyHere(now),
      missingOf: (id) => this.snapshots.missingOf(id),
      wasTaken: (vote) => this.snapshots.wasTaken(vote),
    });
    this.snapshots = new SnapshotTaking({
      peering,
      isServing: () => state() !== "catching-up",
      taken: () => {
        parts.taken();
        this.gaps.changed();
      },
    });
  }

  start(): void {
    this.voting.start();
  }

  stop(): void {
    this.snapshots.stop();
  }

  tick(now: number): void {
    const members = [...this.#parts.roster().members.values()];
    this.snapshots.tick(now, this.#choice.choices(now, members));
    this.#common.tick(now, () =>
      members.map((member) => ({ ...reporterOf(member), isCatchingUp: member.isCatchingUp })),
    );
    this.voting.tick(now);
    this.#damage.tick(
      now,
      () => this.#parts.roster().electorate,
      () => members.map(reporterOf),
    );
  }

  /** A member has connected: what it holds is not known. */
  joined(): void {
    this.#common.joined();
  }

  /** A member is no longer connected. */
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

  /** What an operator could order, as members cannot settle what lacks here; null: nothing. */
  get order(): string | null {
    return this.#choice.order;
  }
}
