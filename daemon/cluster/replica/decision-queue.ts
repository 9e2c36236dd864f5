/**
 * Requests the members' decisions on commands and programs that write decided keys. Each user has a queue. Commands
 * that arrive while a decision is under way share the next envelope, so one signature covers them. They are decided in
 * the order in which they were sent. Source: docs/decisions/0081, docs/decisions/0082.
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import type { ErrorReply, Reply } from "../../../protocol/reply.js";
import { TURN_MS } from "../../../protocol/steps.js";
import { type Condition, DECIDED_UNITS_MAX } from "../../../protocol/version-2/envelope.js";
import { type Refused, type RefusedEnvelope, refused } from "../../engine/answers/request.js";
import type { CommandSender, LastWrite } from "../../engine/backends/command-path.js";
import type { Environment } from "../../net/process/clock-and-randomness.js";
import { mapKeyOf, type NamedKey } from "../../store/keyspace/named-key.js";
import type { Entry } from "../../timeline/entries/entry.js";
import type { UnitAnswer } from "../../timeline/fold/fold.js";
import { CONTESTED, type ProgramUnit, tryPrograms } from "./decided-programs.js";
import type { DecisionResult, EntryRecorder } from "./entry-recorder.js";
import type { OwnEnvelopes } from "./own-envelopes.js";
import { recordedOf } from "./recorded-choices.js";
import { ReturningClients, type ReturnWait } from "./returning-clients.js";
import { answerUnits, type GatewayAnswer, type GatewayProgram, type GatewayWaiter } from "./waiting-group.js";

/** The number of bytes of commands after which an envelope ends. */
const ENVELOPE_BYTES_MAX = 256 * 1024;

/**
 * The longest wait for the next commands of clients that have just been answered, as a fraction of the time that a
 * program waits for its turn.
 */
const BATCH_DELAY_SHARE = 1 / 4;

/** The delay before programs are retried although no client has changed their keys, in milliseconds. */
const RETRY_DELAY_MS = 20;
/**
 * The time for which a program is retried, in milliseconds. Without a limit, the programs of disconnected clients would
 * accumulate.
 */
const RETRY_TIMEOUT_MS = 30_000;

/** The detail of the answer to a command that follows one with an unknown effect. */
export const NOT_SENT =
  "it was not sent, because the effect of an earlier command of this connection is unknown";

type Argv = readonly ByteString[];
/** The user that sends a command, and whether the command is patient, as in `CommandSender`. */
type QueueUser = Pick<CommandSender, "as" | "isPatient">;

/** A request for a decision that is not answered yet. */
interface PendingRequest {
  /** Receives the answer. */
  readonly waiter: GatewayWaiter;
  /** Called after the answer, with whether the effect of the request is known. */
  readonly settle: (isKnown: boolean) => void;
}

/** A command that waits for its decision. */
export interface PendingCommand extends PendingRequest {
  readonly kind: "command";
  readonly argv: Argv;
  readonly db: number;
  readonly bytes: number;
}

/** A program that waits for the decision on what it writes. */
export interface PendingProgram extends PendingRequest {
  readonly kind: "program";
  readonly waiter: GatewayProgram;
  /** The keys that it touches, as far as they are known. */
  keys: readonly NamedKey[];
  /** The uptime in milliseconds from which it is no longer retried; null: it has not been delayed yet. */
  retryUntil: number | null;
  /** Its wait for the turn of this daemon; "over": the turn has come, or the program has waited long enough. */
  turnWait: "none" | "waiting" | "over";
  /** The conditions that did not hold when it was decided last. */
  unmet: string | null;
}

type PendingItem = PendingCommand | PendingProgram;

const isProgram = (item: PendingItem): item is PendingProgram => item.kind === "program";

/** Whether a program had to run again or to wait, because programs of other daemons touch its keys. */
const wasDelayed = ({ retryUntil }: PendingProgram): boolean => retryUntil !== null;

const isRefusal = (decided: DecisionResult | RefusedEnvelope): decided is RefusedEnvelope =>
  "kind" in decided;

/** Returns the item of a program, which itself determines whether its sender's later commands may follow. */
export const pendingProgram = (
  waiter: GatewayProgram,
  keys: readonly NamedKey[],
  settle: PendingRequest["settle"] = () => {},
): PendingProgram => ({
  kind: "program",
  waiter,
  settle,
  keys,
  retryUntil: null,
  turnWait: "none",
  unmet: null,
});

/** Returns the item of a command that its sender's later commands must not overtake. */
export function pendingCommand(argv: Argv, db: number, waiter: GatewayWaiter, bytes: number): PendingCommand {
  return { kind: "command", argv, db, bytes, waiter, settle: beginDeciding(waiter.lastWrite) };
}

/**
 * Records that the members have not decided yet on a sender's latest unit.
 * @param holdsAll  whether later commands of the sender on decided keys wait as well, because the unit is not in the
 * queue that orders them
 * @returns a function to call when it is answered, with whether its effect is known
 */
export function beginDeciding(
  lastWrite: LastWrite | undefined,
  holdsAll = false,
): (isKnown: boolean) => void {
  if (lastWrite === undefined) return () => {};
  let resolve: (isKnown: boolean) => void = () => {};
  const earlier = lastWrite.deciding;
  const deciding = new Promise<boolean>((resolved) => {
    resolve = resolved;
  });
  lastWrite.deciding = deciding;
  if (holdsAll) lastWrite.following++;
  const end = (isKnown: boolean): void => {
    if (lastWrite.deciding === deciding) lastWrite.deciding = null;
    resolve(isKnown);
  };
  return (isKnown) => {
    if (holdsAll) lastWrite.following--;
    // A refused unit can be answered before an earlier unit of the same sender is decided.
    if (earlier === null) end(isKnown);
    else void earlier.then((isEarlierKnown) => end(isEarlierKnown && isKnown));
  };
}

/** The queues of all users. */
export class DecisionQueues {
  readonly #recorder: EntryRecorder;
  readonly #own: OwnEnvelopes;
  readonly #environment: Environment;
  readonly #defer: (step: () => void) => void;
  /** The queues in which commands wait, by the user's name; "": clients without a user. */
  readonly #queues = new Map<ByteString, DecisionQueue>();
  /** The queues of patient commands, which do not delay other commands while no majority of the members answers. */
  readonly #patientQueues = new Map<ByteString, DecisionQueue>();
  /**
   * The queues of the senders whose last writes are dated ahead. Their decisions wait for these dates, and would
   * otherwise delay those of all senders.
   */
  readonly #aheadQueues = new Map<ByteString, DecisionQueue>();
  readonly #returning: ReturningClients;
  /** The senders with unanswered commands, the number of these, and whether they are in one of `#aheadQueues`. */
  readonly #senders = new Map<LastWrite, { readonly isAhead: boolean; unanswered: number }>();

  /** @param defer  runs a step in the next turn of the event loop */
  constructor(
    recorder: EntryRecorder,
    own: OwnEnvelopes,
    environment: Environment,
    defer: (step: () => void) => void,
  ) {
    this.#recorder = recorder;
    this.#own = own;
    this.#environment = environment;
    this.#defer = defer;
    this.#returning = new ReturningClients(environment);
  }

  add(item: PendingItem, user: QueueUser): void {
    const { waiter } = item;
    const { lastWrite } = waiter;
    if (lastWrite === undefined) this.#queueOf(user, this.#own.isAhead(waiter)).add(item);
    else {
      // The commands of a sender keep their order.
      const sender = this.#senders.get(lastWrite) ?? { isAhead: this.#own.isAhead(waiter), unanswered: 0 };
      this.#senders.set(lastWrite, sender);
      sender.unanswered++;
      const settle = (isKnown: boolean): void => {
        if (--sender.unanswered === 0) this.#senders.delete(lastWrite);
        item.settle(isKnown);
      };
      const queue = this.#queueOf(user, sender.isAhead);
      if (isProgram(item)) queue.add(pendingProgram(item.waiter, item.keys, settle));
      else queue.add({ ...item, settle });
    }
  }

  #queueOf({ as, isPatient = false }: QueueUser, isAhead: boolean): DecisionQueue {
    const name = as ?? "";
    const notPatient = isAhead ? this.#aheadQueues : this.#queues;
    const queues = isPatient ? this.#patientQueues : notPatient;
    let queue = queues.get(name);
    if (queue === undefined) {
      const added = new DecisionQueue(this.#recorder, this.#own, this.#environment, this.#returning, {
        as,
        isPatient,
      });
      queues.set(name, added);
      this.#defer(() => void added.run(() => queues.delete(name)));
      queue = added;
    }
    return queue;
  }
}

/** The commands and programs of one user, in order: either the patient ones or the remaining ones. */
class DecisionQueue {
  readonly #recorder: EntryRecorder;
  readonly #own: OwnEnvelopes;
  readonly #environment: Environment;
  readonly #returning: ReturningClients;
  readonly #as: ByteString | null;
  readonly #isPatient: boolean;
  #items: PendingItem[] = [];
  /** The number of commands and programs that were added since the last round began. */
  #added = 0;
  /**
   * The delay of the next batch, for the clients that have just been answered, and the function that continues after
   * it; null: none is under way.
   */
  #batchDelay: (ReturnWait & { readonly resolve: () => void }) | null = null;
  /** The programs that wait for this daemon's turn, by the names of their keys. */
  readonly #awaitingTurn = new Map<string, PendingProgram[]>();
  /** Continues when all items wait for this daemon's turn, and nothing can be requested; null: not the case. */
  #wakeIdle: (() => void) | null = null;
  /** The maximum number of commands or programs of the next batch: fewer after one that needed too many steps. */
  #batchMax = DECIDED_UNITS_MAX;

  constructor(
    recorder: EntryRecorder,
    own: OwnEnvelopes,
    environment: Environment,
    returning: ReturningClients,
    { as, isPatient }: QueueUser & { readonly isPatient: boolean },
  ) {
    this.#recorder = recorder;
    this.#own = own;
    this.#environment = environment;
    this.#returning = returning;
    this.#as = as;
    this.#isPatient = isPatient;
  }

  add(item: PendingItem): void {
    this.#items.push(item);
    this.#added++;
    this.#wakeIdle?.();
    if (this.#batchDelay === null || this.#items.length < this.#batchDelay.awaited) return;
    this.#endBatchDelay();
  }

  /** Requests one decision after the other. @param ended  called when nothing waits any longer */
  async run(ended: () => void): Promise<void> {
    while (this.#items.length > 0) {
      const refusal = this.#recorder.refusal() ?? this.#own.authorizeOrRefuse();
      if (refusal === null) await this.#decideNext();
      else refuseAll(this.#items.splice(0), refusal);
    }
    ended();
  }

  async #decideNext(): Promise<void> {
    const before = this.#items.length;
    this.#added = 0;
    const batch = this.#takeBatch();
    const [first] = batch;
    if (first === undefined) {
      if (this.#added === 0 && this.#items.length > 0) {
        await this.#sleep();
        return;
      }
    } else if (isProgram(first)) await this.#decidePrograms(batch as PendingProgram[]);
    else await this.#decideCommands(batch as PendingCommand[]);
    await this.#delayNextBatch(before + this.#added - this.#items.length);
  }

  /** Waits until an item is added, or a program may run. */
  async #sleep(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#wakeIdle = resolve;
    });
    this.#wakeIdle = null;
  }

  /** Waits for the next commands of clients that have just been answered. @param answered  their number */
  async #delayNextBatch(answered: number): Promise<void> {
    if (this.#items.length >= this.#batchMax) return;
    const maxMs = this.#recorder.programTurns.patience.milliseconds * BATCH_DELAY_SHARE;
    await new Promise<void>((resolve) => {
      const delay = this.#returning.begin(() => this.#items.length, answered, maxMs, resolve);
      if (delay === null) resolve();
      else this.#batchDelay = { ...delay, resolve };
    });
    this.#batchDelay = null;
  }

  #endBatchDelay(): void {
    this.#batchDelay?.end();
    this.#batchDelay?.resolve();
  }

  /**
   * Takes the first commands, or the first programs, that may be decided together now, and refuses programs that were
   * retried for too long. Programs that wait for this daemon's turn stay, and so does what their connections have sent
   * after them. What follows the first item that does not fit is not checked: thousands may wait.
   */
  #takeBatch(): readonly PendingItem[] {
    const taken: PendingItem[] = [];
    const left: PendingItem[] = [];
    const connections = new Set<LastWrite>();
    const fits = fitting(this.#batchMax);
    let next = 0;
    for (const item of this.#items) {
      const { lastWrite } = item.waiter;
      const follows = lastWrite !== undefined && connections.has(lastWrite);
      const isEarly = !follows && isProgram(item) && !this.#mayRun(item);
      if (follows) left.push(item);
      else if (isEarly) {
        this.#limitRetries(item);
        if (this.#isExpired(item)) refuseAll([item], CONTESTED);
        else {
          if (item.turnWait !== "waiting") this.#awaitTurn(item);
          if (lastWrite !== undefined) connections.add(lastWrite);
          left.push(item);
        }
      } else if (fits(item)) taken.push(item);
      else break;
      next++;
    }
    // What is not taken stays in the order of arrival: a connection's later program must not overtake its command.
    this.#items = left.concat(this.#items.slice(next));
    return taken;
  }

  /** Whether a program may run now. One that waits is not checked again: many of them would take milliseconds. */
  #mayRun(item: PendingProgram): boolean {
    return item.turnWait !== "waiting" && this.#mayRequest(item.keys, [item]);
  }

  /** Whether it is this daemon's turn, or programs have waited for it long enough. */
  #mayRequest(keys: readonly NamedKey[], items: readonly PendingProgram[]): boolean {
    return (
      items.some(({ turnWait }) => turnWait === "over") ||
      this.#recorder.programTurns.isTurnOf(this.#own.signer, keys)
    );
  }

  /** Begins a program's wait for this daemon's turn. Programs with the same keys share one wait. */
  #awaitTurn(program: PendingProgram): void {
    program.turnWait = "waiting";
    const { keys } = program;
    const names = JSON.stringify(keys.map(mapKeyOf));
    const same = this.#awaitingTurn.get(names);
    if (same !== undefined) {
      same.push(program);
      return;
    }

    const programs = [program];
    this.#awaitingTurn.set(names, programs);
    void this.#recorder.programTurns.turnOf(this.#own.signer, keys).then(() => {
      this.#awaitingTurn.delete(names);
      for (const item of programs) item.turnWait = "over";
      this.#endBatchDelay();
      this.#wakeIdle?.();
    });
  }

  /**
   * Runs programs, and requests decisions on what they have written. Those that were not the first to change their keys
   * run again, before everything that has arrived later.
   */
  async #decidePrograms(items: readonly PendingProgram[]): Promise<void> {
    const { uptime } = this.#environment;
    const endsAt = uptime() + TURN_MS;
    const areApart = items.some(wasDelayed);
    const { units, refused, ran } = tryPrograms(
      items.map(({ waiter }) => waiter),
      {
        state: this.#recorder.trialState,
        date: this.#own.nextDate,
        patterns: this.#recorder.ring.patterns,
        isOver: () => uptime() > endsAt,
        areApart,
      },
    );
    const itemOf = new Map<GatewayProgram, PendingProgram>(items.map((item) => [item.waiter, item]));
    for (const { program, answer } of refused) {
      program.answered(answer);
      (itemOf.get(program) as PendingProgram).settle(true);
    }
    this.#items = [...items.slice(ran), ...this.#items];

    const tried = units.map((unit) => ({
      unit,
      unitItems: unit.programs.map((program) => itemOf.get(program) as PendingProgram),
    }));
    const early = tried.filter(({ unit, unitItems }) => !this.#mayRequest(unit.conditions, unitItems));
    // A unit of several programs has the keys of all of them.
    if (areApart)
      for (const { unit, unitItems } of early) for (const item of unitItems) item.keys = unit.conditions;
    const requested = tried.filter((one) => !early.includes(one));
    const unmet = await Promise.all(
      requested.map(({ unit, unitItems }) => this.#decideUnit(unit, unitItems)),
    );
    this.#requeue(items, [...early.flatMap(({ unitItems }) => unitItems), ...unmet.flat()]);
  }

  /**
   * Puts programs back, before everything that has arrived after them, and refuses those that were retried for too
   * long.
   * @param items  the programs in their order, including those that are not retried
   */
  #requeue(items: readonly PendingProgram[], toRetry: readonly PendingProgram[]): void {
    if (toRetry.length === 0) return;
    for (const item of toRetry) this.#limitRetries(item);
    const retried = new Set(toRetry.filter((item) => !this.#isExpired(item)));
    refuseAll(
      toRetry.filter((item) => !retried.has(item)),
      CONTESTED,
    );
    this.#items = [...items.filter((item) => retried.has(item)), ...this.#items];
  }

  /** Sets the end of a program's retries when it is delayed for the first time. */
  #limitRetries(item: PendingProgram): void {
    item.retryUntil ??= this.#environment.uptime() + RETRY_TIMEOUT_MS;
  }

  /** Whether a program was retried for too long. */
  #isExpired({ retryUntil }: PendingProgram): boolean {
    return retryUntil !== null && retryUntil <= this.#environment.uptime();
  }

  /** Requests a decision on what programs have written. @returns those that have to run again */
  async #decideUnit(unit: ProgramUnit, items: readonly PendingProgram[]): Promise<readonly PendingProgram[]> {
    const { commands, conditions, read } = unit;
    if (conditions.length === 0 && commands.length === 0) {
      answerPrograms(items, read);
      return [];
    }

    const entry = this.#signUnit(unit, items);
    const since = this.#environment.uptime();
    const decided = await this.#recorder.decide(entry, { isTried: true });
    if (isRefusal(decided)) {
      this.#refuse(items, decided);
      return [];
    }

    this.#recorder.programTurns.patience.took(this.#environment.uptime() - since);
    const { orderKey, answers } = decided;
    const [answer] = answers as [UnitAnswer];
    for (const { waiter } of items) if (waiter.lastWrite !== undefined) waiter.lastWrite.orderKey = orderKey;
    if (answer.outcome === "unmet") {
      await this.#pauseIfSame(items, conditions);
      return items;
    }

    this.#raiseBatchMax();
    const writers = items.filter(({ waiter }) => !read.has(waiter) || answer.reply.kind === "error");
    answerUnits(
      writers.map(({ waiter }) => waiter),
      writers.map(() => answer),
      orderKey,
      this.#recorder,
    );
    for (const { settle } of writers) settle(true);
    answerPrograms(
      items.filter((item) => !writers.includes(item)),
      read,
    );
    return [];
  }

  #signUnit(unit: ProgramUnit, items: readonly PendingProgram[]): Entry {
    const { db, commands, conditions } = unit;
    const header = {
      db,
      as: this.#as,
      multi: true,
      conditions: conditions.length === 0 ? null : conditions,
      decide: true,
    };
    unit.recording();
    const [first] = conditions;
    return this.#own.sign(
      header,
      // An envelope must contain a command. EXISTS changes nothing.
      commands.length === 0 ? [["EXISTS", (first as Condition).key]] : commands,
      this.#own.decidedDate(items.map(({ waiter }) => waiter)),
      recordedOf(unit.choices, unit.expiries),
    );
  }

  /**
   * Waits if the same conditions did not hold before: no client has changed the keys since, but the state is dated
   * after the unit, because this machine's clock is ahead of the keeper's, or a client has dated a write ahead.
   */
  async #pauseIfSame(items: readonly PendingProgram[], conditions: readonly Condition[]): Promise<void> {
    const unmet = conditions.map(({ db, key, writer }) => `${db} ${key} ${writer}`).join();
    const isSame = items.every((item) => item.unmet === unmet);
    for (const item of items) {
      item.turnWait = "none";
      item.unmet = unmet;
    }
    if (isSame) await new Promise<void>((resolve) => this.#environment.setTimer(RETRY_DELAY_MS, resolve));
  }

  /** Lets the next batch have one more command or program, because this one needed few enough steps. */
  #raiseBatchMax(): void {
    this.#batchMax = Math.min(this.#batchMax + 1, DECIDED_UNITS_MAX);
  }

  async #decideCommands(commands: readonly PendingCommand[]): Promise<void> {
    const [{ db }] = commands as [PendingCommand];
    const header = { db, as: this.#as, multi: false, conditions: null };
    const entry = this.#own.sign(
      header,
      commands.map(({ argv }) => argv),
      this.#own.decidedDate(commands.map(({ waiter }) => waiter)),
    );
    const since = this.#environment.uptime();
    const decided = await this.#recorder.decide(entry, { isPatient: this.#isPatient });
    if (isRefusal(decided)) {
      if (decided.code === "too-much" && commands.length > 1) this.#retryFewer(commands);
      else this.#refuse(commands, decided);
      return;
    }

    // Patient commands may have waited for a majority.
    if (!this.#isPatient) this.#recorder.programTurns.patience.took(this.#environment.uptime() - since);
    this.#raiseBatchMax();
    answerAll(commands, decided, this.#recorder);
  }

  /** Requests decisions on half as many of these commands, because together they need too many steps. */
  #retryFewer(commands: readonly PendingCommand[]): void {
    this.#batchMax = Math.ceil(commands.length / 2);
    this.#items = [...commands, ...this.#items];
  }

  /**
   * Refuses commands and programs. If their effect is unknown, what waits after them on their connections is not sent.
   */
  #refuse(items: readonly PendingItem[], refusal: RefusedEnvelope): void {
    if (refusal.effect !== "unknown") {
      refuseAll(items, refusal);
      return;
    }
    const connections = new Set<LastWrite | undefined>(items.map(({ waiter }) => waiter.lastWrite));
    connections.delete(undefined);
    const follows = ({ waiter }: PendingItem) => connections.has(waiter.lastWrite);
    const unsent = this.#items.filter(follows);
    this.#items = this.#items.filter((item) => !follows(item));
    refuseAll(items, { ...refusal, code: "undecided" }, false);
    refuseAll(unsent, refused("cannot-decide", NOT_SENT), false);
  }
}

/**
 * Returns a function that checks whether one more item may be decided together with those before it: programs with
 * programs, and commands with commands that fit into one envelope.
 * @param max  the maximum number of items
 */
function fitting(max: number): (item: PendingItem) => boolean {
  let first: PendingItem | null = null;
  let count = 0;
  let bytes = 0;
  return (item) => {
    first ??= item;
    if (count++ === max) return false;
    if (isProgram(item) || isProgram(first)) return isProgram(item) && isProgram(first);
    bytes += item.bytes;
    return item === first || (item.db === first.db && bytes <= ENVELOPE_BYTES_MAX);
  };
}

function answerAll(
  commands: readonly PendingCommand[],
  { orderKey, answers }: DecisionResult,
  recorder: EntryRecorder,
): void {
  for (const { waiter } of commands) if (waiter.lastWrite !== undefined) waiter.lastWrite.orderKey = orderKey;
  answerUnits(
    commands.map(({ waiter }) => waiter),
    answers,
    orderKey,
    recorder,
  );
  for (const { settle } of commands) settle(true);
}

function refuseAll(items: readonly PendingItem[], refusal: Refused | ErrorReply, isKnown = true): void {
  for (const { waiter, settle } of items) {
    waiter.answered(refusal);
    settle(isKnown);
  }
}

/** Answers programs that have written nothing. */
function answerPrograms(items: readonly PendingProgram[], read: ProgramUnit["read"]): void {
  for (const { waiter, settle } of items) {
    waiter.answerRead(read.get(waiter) as Reply);
    settle(true);
  }
}

/** Whether an answer leaves open what its sender has changed, so that nothing later of the sender is executed. */
export const leavesUnknown = (answer: GatewayAnswer): boolean =>
  "code" in answer && (answer.code === "undecided" || answer.detail === NOT_SENT);
