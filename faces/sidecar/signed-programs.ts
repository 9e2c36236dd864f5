/**
 * Runs programs (scripts, functions, transactions with scripts) of a sidecar's clients. The sidecar loads the keys that
 * a program touches from a majority of its daemons, runs the program on them, and signs what it has written as one unit
 * with the keys' versions as conditions, on which the members decide. If another unit has changed a key before, the
 * program runs again. Source: docs/decisions/0083-programs-through-sidecars.md.
 */
import type { ForwardingClient } from "../../client/forwarding-client.js";
import { DbsyncError } from "../../client/public-api.js";
import {
  CONTESTED,
  groupsOf,
  type ProgramUnit,
  tryPrograms,
} from "../../daemon/cluster/replica/decided-programs.js";
import type { GatewayProgram } from "../../daemon/cluster/replica/waiting-group.js";
import { replyOf as replyOfRefusal } from "../../daemon/engine/answers/request.js";
import { UnitRefused } from "../../daemon/engine/answers/unit-limits.js";
import type {
  CheckedCommand,
  CommandSender,
  ProgramOutline,
  StepRunner,
} from "../../daemon/engine/backends/command-path.js";
import type { Environment } from "../../daemon/net/process/clock-and-randomness.js";
import { CommandFailure, echoed } from "../../daemon/store/arguments/command-errors.js";
import { UNIT_STEPS_DEFAULT } from "../../daemon/store/keyspace/effort-budget.js";
import { mapKeyOf, type NamedKey } from "../../daemon/store/keyspace/named-key.js";
import { type Command, isClaim } from "../../daemon/store/rows/command-row.js";
import { touchesOf } from "../../daemon/store/rows/key-spec.js";
import type { ByteString } from "../../protocol/byte-string.js";
import { error, NIL_ARRAY, type Reply } from "../../protocol/reply.js";
import { type Condition, UNIT_ID_BYTES } from "../../protocol/version-2/envelope.js";
import { unitId } from "../../protocol/version-2/unit-names.js";
import { type KeyReader, type LoadedKeys, loadKeys } from "./loaded-keys.js";
import { errorReplyOf } from "./signing-backend.js";

/**
 * Milliseconds for which the programs of one unit run, while no other connection is served. It is longer than a
 * daemon's turn, because each unit costs two round trips, after which another sidecar's unit may have been first.
 */
const UNIT_MS = 25;
/** Milliseconds of the longest pause before a first repetition, and before any. */
const PAUSE_MS = 5;
const PAUSE_MS_MAX = 200;
const ENTRY_ID_BYTES = 32;

/** The groups of commands whose claims follow from the state alone: they take the same at the unit's position. */
const CLAIMS_OF_STATE: ReadonlySet<string> = new Set(["string", "list", "sortedset"]);

/** The commands that read or change the groups of a stream, of which the sidecar does not know the version. */
const OF_GROUPS = /^X(ACK|AUTOCLAIM|CLAIM|GROUP|INFO|PENDING|READGROUP)\b/;

const DIFFERENT = error(
  "MAYBEAPPLIED the daemons returned an error for a command that succeeded here: update the sidecar to their release",
);

/** The client that sends what programs read and write. */
export type ProgramCarrier = KeyReader & Pick<ForwardingClient, "timeout" | "decideTogether">;

export class SignedPrograms {
  readonly #carrier: ProgramCarrier;
  readonly #environment: Environment;
  /** Returns whether this process answers a command itself. */
  readonly #isAnsweredHere: (command: Command) => boolean;
  #waiting: SignedProgram[] = [];
  /** The names of the keys of programs that are being decided. */
  readonly #busy = new Set<string>();
  #isScheduled = false;

  constructor(
    carrier: ProgramCarrier,
    environment: Environment,
    isAnsweredHere: (command: Command) => boolean,
  ) {
    this.#carrier = carrier;
    this.#environment = environment;
    this.#isAnsweredHere = isAnsweredHere;
  }

  run(
    program: (run: StepRunner) => Reply,
    conditions: readonly Condition[],
    sender: CommandSender,
    outline: ProgramOutline,
  ): Promise<Reply> {
    return new Promise((answered) => {
      const until = this.#environment.uptime() + this.#carrier.timeout;
      const isAnsweredHere = this.#isAnsweredHere;
      this.#waiting.push(
        new SignedProgram({ program, conditions, sender, outline, until, isAnsweredHere, answered }),
      );
      this.#schedule();
    });
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    this.#environment.setTimer(0, () => {
      this.#isScheduled = false;
      for (const group of this.#takeGroups()) void this.#runGroup(group);
    });
  }

  /** Takes the programs whose keys no earlier program uses, in groups that share no keys. */
  #takeGroups(): readonly (readonly SignedProgram[])[] {
    const blocked = new Set(this.#busy);
    const used = new Set<string>();
    const taken: SignedProgram[] = [];
    const remaining: SignedProgram[] = [];
    for (const program of this.#waiting) {
      const { keys, isApart } = program;
      const isUsed = (names: ReadonlySet<string>) => [...keys.keys()].some((name) => names.has(name));
      const mustWait = isUsed(blocked) || (isApart && isUsed(used));
      // What follows overtakes no program that waits, and joins none that has to be alone.
      if (mustWait || isApart) for (const name of keys.keys()) blocked.add(name);
      if (!mustWait) for (const name of keys.keys()) used.add(name);
      (mustWait ? remaining : taken).push(program);
    }

    this.#waiting = remaining;
    return groupsOf(taken, ({ keys }) => keys.keys());
  }

  async #runGroup(programs: readonly SignedProgram[]): Promise<void> {
    const names = programs.flatMap(({ keys }) => [...keys.keys()]);
    for (const name of names) this.#busy.add(name);
    const again = await this.#attempt(programs);
    const now = this.#environment.uptime();
    const late = again.filter(({ until }) => until <= now);
    for (const program of late) program.answer(CONTESTED);
    const left = again.filter((program) => !late.includes(program));
    const unmet = left.reduce((most, program) => Math.max(most, program.unmet), 0);
    if (unmet > 0) await this.#pauseAfter(unmet);
    for (const name of names) this.#busy.delete(name);
    this.#waiting = [...left, ...this.#waiting];
    if (this.#waiting.length > 0) this.#schedule();
  }

  /** Waits for a random time, so that sidecars whose programs change the same keys do not repeat them together. */
  #pauseAfter(unmet: number): Promise<void> {
    const { random, setTimer } = this.#environment;
    const longest = Math.min(PAUSE_MS_MAX, PAUSE_MS * 2 ** unmet);
    return new Promise((resolve) => void setTimer(random() * longest, resolve));
  }

  /** Runs programs, and requests decisions on what they have written. @returns those that have to run again */
  async #attempt(programs: readonly SignedProgram[]): Promise<readonly SignedProgram[]> {
    try {
      const needed = new Map(programs.flatMap(({ keys }) => [...keys]));
      const loaded = await loadKeys(this.#carrier, needed, this.#environment.clock());
      const { units, refused, ran } = this.#try(programs, loaded);
      for (const { program, answer } of refused) (program as SignedProgram).answer(replyOfRefusal(answer));
      const again = await Promise.all(units.map((unit) => this.#decide(unit)));
      return [...again.flat(), ...programs.slice(ran)];
    } catch (problem) {
      if (problem instanceof MissingKeys) return this.#withMoreKeys(programs, problem.keys);
      if (isDisagreement(problem)) {
        for (const program of programs) program.unmet++;
        return programs;
      }
      if (!(problem instanceof CommandFailure || problem instanceof DbsyncError)) throw problem;
      return answerAll(programs, problem instanceof CommandFailure ? problem.reply : errorReplyOf(problem));
    }
  }

  /** @throws MissingKeys */
  #try(programs: readonly SignedProgram[], loaded: LoadedKeys) {
    const { uptime, randomBytes } = this.#environment;
    const endsAt = uptime() + UNIT_MS;
    for (const program of programs) program.loaded = loaded;
    return tryPrograms(programs, {
      state: {
        database: loaded.database,
        stepsMax: UNIT_STEPS_DEFAULT,
        unitId: () => unitId(randomBytes(ENTRY_ID_BYTES), 0),
      },
      date: { at: loaded.at, seq: 0 },
      patterns: loaded.patterns,
      isOver: () => uptime() > endsAt,
      areApart: true,
    });
  }

  /** Repeats programs at once with keys that they have touched without naming them before. */
  #withMoreKeys(
    programs: readonly SignedProgram[],
    keys: readonly NamedKey[],
  ): Promise<readonly SignedProgram[]> {
    for (const program of programs) for (const key of keys) program.keys.set(mapKeyOf(key), key);
    const now = this.#environment.uptime();
    return programs.some(({ until }) => until <= now) ? Promise.resolve(programs) : this.#attempt(programs);
  }

  /** Requests a decision on what programs have written. @returns those that have to run again */
  async #decide(unit: ProgramUnit): Promise<readonly SignedProgram[]> {
    const { read } = unit;
    const conditions = unit.conditions.map(withoutGroups);
    const all = unit.programs as readonly SignedProgram[];
    const isRefused = (program: SignedProgram) =>
      read.has(program) && !program.readsOnly && program.undecided !== null;
    // A majority may not have the newest writes to undecided keys: a lock would be neither released nor an error shown.
    for (const program of all)
      if (isRefused(program)) program.answer(notDecided(program.undecided as NamedKey));
    const programs = all.filter((program) => !isRefused(program));
    if (programs.length === 0) return [];

    unit.recording();
    const [first] = conditions;
    const isRead = unit.commands.length === 0;
    if (first === undefined || (isRead && programs.every(({ readsOnly }) => readsOnly))) {
      for (const program of programs) program.answer(read.get(program) ?? program.reply);
      return [];
    }

    // The members decide only on units that may change something. This command changes nothing.
    const commands = isRead ? [["SETRANGE", first.key, "0", ""]] : signedForms(unit);
    const sender = { db: isRead ? first.db : unit.db, isStable: programs.some(({ isStable }) => isStable) };
    const reply = await this.#send(commands, conditions, sender);
    if (reply.kind === "nil-array") {
      for (const program of programs) program.unmet++;
      return programs;
    }
    if (reply.kind === "error") return answerAll(programs, reply);

    const isOther = !isRead && reply.kind === "array" && reply.items.some(({ kind }) => kind === "error");
    for (const program of programs)
      program.answer(isOther ? DIFFERENT : (read.get(program) ?? program.reply));
    return [];
  }

  #send(
    commands: ProgramUnit["commands"],
    conditions: readonly Condition[],
    sender: { readonly db: number; readonly isStable: boolean },
  ): Promise<Reply> {
    return new Promise((resolve) => {
      const reject = (problem: Error) => resolve(errorReplyOf(problem));
      this.#carrier.decideTogether(commands, conditions, sender, { resolve, reject });
    });
  }
}

/** Whether no majority of the daemons had the same state of the keys, for example because it is just changing. */
const isDisagreement = (problem: unknown): boolean =>
  problem instanceof DbsyncError && problem.code === "answers-differ";

/**
 * Answers programs with the error of their unit. If nothing of it was done, each of several programs runs again alone,
 * because only one of them may be the reason.
 * @returns those that have to run again
 */
function answerAll(programs: readonly SignedProgram[], reply: Reply): readonly SignedProgram[] {
  const isKnown = reply.kind === "error" && !reply.text.startsWith("MAYBEAPPLIED");
  if (isKnown && programs.length > 1) {
    for (const program of programs) program.isApart = true;
    return programs;
  }
  for (const program of programs) program.answer(reply);
  return [];
}

/** Returns a condition without the version of the groups of a stream, which programs here do not touch. */
const withoutGroups = ({ db, key, writer }: Condition): Condition => ({
  db,
  key,
  writer: writer.slice(0, UNIT_ID_BYTES),
});

/** Returns the commands of a unit in a form that a client's key may sign: only those of daemons may record choices. */
function signedForms({ commands, choices }: ProgramUnit): ProgramUnit["commands"] {
  return commands.map((argv, index) => {
    const isRandom = argv[0]?.toUpperCase() === "SPOP";
    return isRandom ? ["SREM", argv[1] as ByteString, ...(choices.get(index) ?? [])] : argv;
  });
}

/** Thrown through a program that touches keys which are not loaded. */
class MissingKeys extends Error {
  override readonly name = "MissingKeys";
  readonly keys: readonly NamedKey[];

  constructor(keys: readonly NamedKey[]) {
    super("keys are not loaded");
    this.keys = keys;
  }
}

interface SignedProgramOptions {
  readonly program: (run: StepRunner) => Reply;
  readonly conditions: readonly Condition[];
  readonly sender: CommandSender;
  readonly outline: ProgramOutline;
  /** When it is no longer repeated, in milliseconds of the uptime. */
  readonly until: number;
  readonly isAnsweredHere: (command: Command) => boolean;
  readonly answered: (reply: Reply) => void;
}

/** A program that waits for the decision on what it writes. */
class SignedProgram implements GatewayProgram {
  readonly sender: CommandSender;
  readonly conditions: readonly Condition[];
  readonly readsOnly: boolean;
  readonly isStable: boolean;
  readonly until: number;
  readonly replicated = undefined;
  readonly lastWrite = undefined;
  /** The keys that it is known to touch, by their names. */
  readonly keys = new Map<string, NamedKey>();
  /** The keys with which it runs. */
  loaded: LoadedKeys | null = null;
  /** The number of attempts by which it took no effect. */
  unmet = 0;
  /** Whether it shares no unit with other programs. */
  isApart = false;
  /** The undecided key that it has read first in its last run; null: none. */
  undecided: NamedKey | null = null;
  /** The reply of its last run, if it has written. */
  reply: Reply = NIL_ARRAY;
  readonly #program: SignedProgramOptions["program"];
  readonly #isAnsweredHere: SignedProgramOptions["isAnsweredHere"];
  readonly #answered: SignedProgramOptions["answered"];

  constructor({
    program,
    conditions,
    sender,
    outline,
    until,
    isAnsweredHere,
    answered,
  }: SignedProgramOptions) {
    const { db, now, isStable, as, readsAll, encoding } = sender;
    // The object of a connection may change before the program runs.
    this.sender = { db, now, isStable, as, readsAll, encoding };
    this.conditions = conditions;
    this.readsOnly = outline.readsOnly;
    this.isStable = isStable;
    this.until = until;
    this.#program = program;
    this.#isAnsweredHere = isAnsweredHere;
    this.#answered = answered;
    for (const key of outline.keys()) this.keys.set(mapKeyOf({ db, key }), { db, key });
    for (const { db, key } of conditions) this.keys.set(mapKeyOf({ db, key }), { db, key });
  }

  run(run: StepRunner): Reply {
    const { database, at } = this.loaded as LoadedKeys;
    if (!database.holds(this.conditions, at)) return NIL_ARRAY;
    this.undecided = null;
    return this.#program((command, argv, db) => {
      this.#check(command, argv, db);
      return run(command, argv, db);
    });
  }

  recording(_calls: readonly CheckedCommand[], _db: number, reply: Reply): void {
    this.reply = reply;
  }

  answerRead(): void {}

  answered(): void {}

  answer(reply: Reply): void {
    this.#answered(reply);
  }

  /** @throws MissingKeys @throws UnitRefused */
  #check(command: Command, argv: readonly ByteString[], own: number): void {
    const { keys, patterns } = this.loaded as LoadedKeys;
    const touches = touchesOf(command.keys, argv);
    if (touches.some(({ key }) => key === null) || (touches.length === 0 && !this.#isAnsweredHere(command)))
      throw new UnitRefused(needsData(command));

    const named = touches.map(({ db, key, access }) => ({ db: db ?? own, key: key as ByteString, access }));
    const missing = named.filter((one) => !keys.has(mapKeyOf(one)));
    if (missing.length > 0) throw new MissingKeys(missing);

    this.undecided ??= named.find(({ db, key }) => !patterns.hasKey(db, key)) ?? null;
    if (OF_GROUPS.test(command.name)) throw new UnitRefused(onlyAtDaemons(command));
    if (!command.writes) return;

    const plain = named.find(({ db, key, access }) => access === "write" && !patterns.hasKey(db, key));
    if (plain !== undefined) throw new UnitRefused(notDecided(plain));
    if (isClaim(command, argv) && command.name !== "SPOP" && !CLAIMS_OF_STATE.has(command.group))
      throw new UnitRefused(onlyAtDaemons(command));
  }
}

const needsData = ({ name }: Command) =>
  error(
    `NOTAPPLIED nothing was done, because ${name} in a script needs data that dbsyncd -d dbsync does not have: a script here may use only commands that name their keys`,
  );

const onlyAtDaemons = ({ name }: Command) =>
  error(
    `NOTAPPLIED nothing was done, because ${name} in a script works only at a daemon: connect the program to its --resp`,
  );

/** Returns the error for a write to an undecided key, with a pattern for keys like it. */
function notDecided({ db, key }: NamedKey) {
  const end = key.search(/[:*?[\\\]]/);
  const pattern = end > 0 ? `${key.slice(0, end)}${key[end] === ":" ? ":" : ""}*` : key;
  const option = db === 0 ? "" : ` --db ${db}`;
  return error(
    `NOTAPPLIED nothing was done: through dbsyncd -d dbsync, a script may write only decided keys, but '${echoed(key)}' is none. An administrator can add a pattern: dbsync decide add '${echoed(pattern)}'${option}`,
  );
}
