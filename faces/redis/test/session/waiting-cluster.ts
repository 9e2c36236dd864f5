/**
 * Clients that wait at several daemons for elements of decided keys, in simulated time: decisions take some time, each
 * daemon applies them later than another one, and daemons hang, end, or lose clients.
 */
import assert from "node:assert/strict";
import type {
  CommandPath,
  CommandSender,
  LocalData,
} from "../../../../daemon/engine/backends/command-path.js";
import type { Environment } from "../../../../daemon/net/process/clock-and-randomness.js";
import { findCommand } from "../../../../daemon/store/command-table.js";
import { Database } from "../../../../daemon/store/database.js";
import type { Command } from "../../../../daemon/store/rows/command-row.js";
import type { FoldedEntry } from "../../../../daemon/timeline/fold/fold.js";
import type { Reply } from "../../../../protocol/reply.js";
import { double } from "../../../../test/support/double.js";
import type { SeededRandom } from "../../../../test/support/seeded-random.js";
import { nextTurn } from "../../../../test/support/until.js";
import type { RespServer } from "../../session/resp-server.js";
import { type BlockableSender, runOrWait } from "../../session/run-blocking-command.js";
import { WaitingClients } from "../../session/waiting-clients.js";
import { XREADGROUP_SIZE } from "../../store/commands/streams/group-reads.js";

type Argv = readonly string[];

const START = 1_790_000_000_000;
/** Milliseconds until the members have decided, and until the last daemon has applied the decision. */
const DECISION_MS = [4, 12] as const;
const APPLY_MS_MAX = 4;
/** Milliseconds after which a daemon that is cut off refuses a command, whose effect is then unknown. */
const UNKNOWN_AFTER_MS = 20_000;

interface Step {
  readonly at: number;
  readonly run: () => void;
  /** The daemon that takes the step; null: the network. */
  readonly daemon: Daemon | null;
}

/** A command on which the members decide, and then its decision. */
interface Slot {
  readonly daemon: Daemon;
  readonly argv: Argv;
  readonly answer: (reply: Reply) => void;
  /** The reply, as soon as a daemon has applied it. */
  taken: Reply | null;
}

export class WaitingCluster {
  readonly daemons: readonly Daemon[];
  readonly random: SeededRandom;
  now = 0;
  /** The commands on which decisions were requested. */
  readonly proposed: string[] = [];
  /** The number of those that wait although no majority of the members answers. */
  patient = 0;
  readonly slots: Slot[] = [];
  #proposals: Slot[] = [];
  #isDeciding = false;
  #steps: Step[] = [];

  constructor(random: SeededRandom, count = 3) {
    this.random = random;
    this.daemons = Array.from({ length: count }, (_, index) => new Daemon(this, `${index}`.repeat(32)));
  }

  after(milliseconds: number, run: () => void, daemon: Daemon | null = null): () => void {
    const step = { at: this.now + milliseconds, run, daemon };
    const index = this.#steps.findIndex(({ at }) => at > step.at);
    this.#steps.splice(index < 0 ? this.#steps.length : index, 0, step);
    return () => {
      this.#steps = this.#steps.filter((one) => one !== step);
    };
  }

  /** Runs all steps up to a time in milliseconds. */
  async runUntil(end: number): Promise<void> {
    for (let step = this.#steps[0]; step !== undefined && step.at <= end; step = this.#steps[0]) {
      this.#steps.shift();
      this.now = Math.max(this.now, step.at);
      if (step.daemon === null || step.daemon.state === "runs") step.run();
      else if (step.daemon.state === "hangs") step.daemon.missed.push(step.run);
      await nextTurn();
    }
    this.now = end;
  }

  /** Requests a decision. Those that are requested while one is made are decided together afterwards. */
  propose(daemon: Daemon, argv: Argv): Promise<Reply> {
    this.proposed.push(argv.join(" "));
    return new Promise((resolve) => {
      let isAnswered = false;
      const answer = (reply: Reply) => {
        if (!isAnswered) resolve(reply);
        isAnswered = true;
      };
      this.#proposals.push({ daemon, argv, answer, taken: null });
      this.#decideNext();
      this.after(UNKNOWN_AFTER_MS, () => answer({ kind: "error", text: "MAYBEAPPLIED" }), daemon);
    });
  }

  #decideNext(): void {
    if (this.#isDeciding || this.#proposals.length === 0) return;
    this.#isDeciding = true;
    this.after(this.random.between(...DECISION_MS), () => {
      const decided = this.#proposals;
      this.#proposals = [];
      this.#isDeciding = false;
      this.slots.push(...decided);
      const end = this.slots.length;
      for (const daemon of this.daemons)
        this.after(this.random.below(APPLY_MS_MAX), () => daemon.apply(end), daemon);
      this.#decideNext();
    });
  }
}

export class Daemon implements LocalData {
  readonly id: string;
  readonly closedDates = null;
  readonly database = new Database({ databases: 1 });
  readonly decided: LocalData["decided"];
  state: "runs" | "hangs" | "ended" = "runs";
  /** The steps that it takes when it continues. */
  readonly missed: (() => void)[] = [];
  readonly #waiting: WaitingClients;
  /** The number of times that the entries of a group were counted. */
  groupSizesRead = 0;
  readonly #server: RespServer;
  readonly #cluster: WaitingCluster;
  #applied = 0;

  constructor(cluster: WaitingCluster, id: string) {
    this.id = id;
    this.#cluster = cluster;
    const isOfDaemon = (key: string) => cluster.daemons.some((daemon) => daemon.id === key);
    this.decided = { signer: id, isOfDaemon, covers: () => true };

    const path = double<CommandPath>({
      records: true,
      localData: this,
      whenSafe: (reply: Reply) => reply,
      writersOf: (db, keys) => keys.map((key) => this.database.writerOf(db, key, START)),
    });
    const environment = double<Environment>({
      clock: () => START + cluster.now,
      uptime: () => cluster.now,
      setTimer: (milliseconds, step) => cluster.after(milliseconds, step, this),
    });

    this.#waiting = new WaitingClients(path, environment);
    this.#server = double<RespServer>({ path, waitingClients: this.#waiting });
  }

  inspect(command: Command, argv: Argv, { isPatient }: CommandSender): Reply | Promise<Reply> {
    if (isPatient) this.#cluster.patient++;
    if (command.writes) return this.#cluster.propose(this, argv);
    if (command === XREADGROUP_SIZE) this.groupSizesRead++;
    return this.database.run(command, argv, { at: START, db: 0, id: "" });
  }

  push(...argv: Argv): void {
    void this.#cluster.propose(this, argv);
  }

  /** Applies the decisions before a slot that it has not applied yet. */
  apply(end: number): void {
    const answers: (() => void)[] = [];
    for (; this.#applied < end; this.#applied++) {
      const slot = this.#cluster.slots[this.#applied] as Slot;
      const { argv, daemon, answer } = slot;
      const id = `${String.fromCharCode(this.#applied % 251, this.#applied % 7)}${this.#applied}`;
      const reply = this.database.execute(argv, { at: START, db: 0, id });
      slot.taken = reply;
      const envelope = { key: daemon.id, db: 0, commands: [argv], multi: false, units: null, decided: {} };
      const answered = { reply, outcome: "applied" as const, late: false };
      this.#waiting.onDecided([double<FoldedEntry>({ entry: { envelope }, answers: [answered] })]);
      if (daemon === this) answers.push(() => answer(reply));
    }
    this.#waiting.markAllReady();
    for (const answer of answers) answer();
  }

  /**
   * Runs the command of a client, which may wait.
   * @param answered  receives the reply, in a later call
   * @returns a function that ends the wait
   */
  run(argv: Argv, answered: (reply: Reply) => void): () => void {
    const sender: BlockableSender<never> = {
      ...{ db: 0, now: START, as: null, isStable: false, readsAll: true, onLateWait: null },
      waiting: null,
      whenServed: null,
      waiter: () => assert.fail("commands that are recorded have no waiter"),
    };
    const command = findCommand(argv[0] as string) as Command;
    const reply = runOrWait(this.#server, command, argv, sender);
    void Promise.resolve(reply).then(answered);
    return () => void sender.waiting?.("timeout");
  }

  hang(): void {
    this.state = "hangs";
  }

  continue(): void {
    if (this.state !== "hangs") return;
    this.state = "runs";
    for (const run of this.missed.splice(0)) run();
  }

  end(): void {
    this.state = "ended";
  }
}
