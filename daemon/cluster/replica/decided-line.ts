/**
 * Requests the members' decisions on commands that write decided keys. Commands of a user that arrive while a decision
 * is under way share the next envelope, so one signature covers them. The commands of a connection are decided in the
 * order in which they were sent. Source: docs/decisions/0081.
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import { DECIDED_UNITS_MAX } from "../../../protocol/version-2/envelope.js";
import { type Refused, type RefusedEnvelope, refused } from "../../engine/answers/request.js";
import type { LastWrite } from "../../engine/backends/command-path.js";
import type { DecidedUnits, EntryRecorder } from "./entry-recorder.js";
import type { OwnEnvelopes } from "./own-envelopes.js";
import { answerUnits, type GatewayWaiter } from "./waiting-group.js";

/** The number of bytes of commands after which an envelope ends. */
const ENVELOPE_BYTES_MAX = 256 * 1024;

/** The milliseconds within which commands that wait for a later date share a line. */
const SHARED_WAIT_MS = 100;

type Argv = readonly ByteString[];

/** A command that waits for its decision. */
export interface DecidedCommand {
  readonly argv: Argv;
  readonly db: number;
  readonly bytes: number;
  readonly waiter: GatewayWaiter;
  /** Called with whether its effect is known, after its answer. */
  readonly settle: (isKnown: boolean) => void;
}

/** A command in a line, and the date after which it is decided. */
interface Waiting extends DecidedCommand {
  readonly followed: number;
}

/** Returns a command that its sender's later commands must not overtake. */
export function decidedCommand(argv: Argv, db: number, waiter: GatewayWaiter, bytes: number): DecidedCommand {
  return { argv, db, bytes, waiter, settle: beginDeciding(waiter.lastWrite) };
}

/**
 * Records that the members have not decided yet on a sender's latest unit.
 * @returns a function to call when it is answered, with whether its effect is known
 */
export function beginDeciding(lastWrite: LastWrite): (isKnown: boolean) => void {
  let resolve: (isKnown: boolean) => void = () => {};
  const deciding = new Promise<boolean>((resolved) => {
    resolve = resolved;
  });
  lastWrite.deciding = deciding;
  return (isKnown) => {
    if (lastWrite.deciding === deciding) lastWrite.deciding = null;
    resolve(isKnown);
  };
}

/** The commands that wait for decisions. */
export class DecidedLines {
  readonly #recorder: EntryRecorder;
  readonly #own: OwnEnvelopes;
  readonly #defer: (step: () => void) => void;
  /**
   * The lines in which commands wait, by the user's name and the date until which they wait: the decision on a sender
   * whose last write is dated ahead waits for that date, and would otherwise delay other senders.
   */
  readonly #lines = new Map<string, DecidedLine>();
  /** The lines of the senders with unanswered commands, which keep their order, and the numbers of these. */
  readonly #senders = new Map<LastWrite, { readonly line: DecidedLine; unanswered: number }>();

  /** @param defer  runs a step in the next turn of the event loop */
  constructor(recorder: EntryRecorder, own: OwnEnvelopes, defer: (step: () => void) => void) {
    this.#recorder = recorder;
    this.#own = own;
    this.#defer = defer;
  }

  /** @param as  the user's name, or null */
  add(command: DecidedCommand, as: ByteString | null): void {
    const { argv, db, bytes, waiter } = command;
    const { lastWrite } = waiter;
    const followed = this.#own.followedBy(lastWrite);
    const sender = this.#senders.get(lastWrite) ?? { line: this.#lineFor(followed, as), unanswered: 0 };
    this.#senders.set(lastWrite, sender);
    sender.unanswered++;
    const settle = (isKnown: boolean): void => {
      if (--sender.unanswered === 0) this.#senders.delete(lastWrite);
      command.settle(isKnown);
    };
    // Each field is named: V8 takes microseconds for a spread that other fields follow.
    sender.line.add({ argv, db, bytes, waiter, settle, followed });
  }

  /** Returns the line of a user for commands of a sender that has no unanswered ones. */
  #lineFor(followed: number, as: ByteString | null): DecidedLine {
    const wait = this.#own.isAhead(followed) ? Math.ceil(followed / SHARED_WAIT_MS) : 0;
    const name = `${wait} ${as ?? ""}`;
    const known = this.#lines.get(name);
    if (known !== undefined) return known;

    const line = new DecidedLine(this.#recorder, this.#own, as, this.#defer);
    this.#lines.set(name, line);
    this.#defer(() => void line.run(() => this.#lines.delete(name)));
    return line;
  }
}

/** Commands of one user that are decided in the order in which they arrive. */
class DecidedLine {
  readonly #recorder: EntryRecorder;
  readonly #own: OwnEnvelopes;
  readonly #as: ByteString | null;
  readonly #defer: (step: () => void) => void;
  #waiting: Waiting[] = [];
  /** The maximum number of commands of the next envelope. */
  #max = DECIDED_UNITS_MAX;

  constructor(
    recorder: EntryRecorder,
    own: OwnEnvelopes,
    as: ByteString | null,
    defer: (step: () => void) => void,
  ) {
    this.#recorder = recorder;
    this.#own = own;
    this.#as = as;
    this.#defer = defer;
  }

  add(command: Waiting): void {
    this.#waiting.push(command);
  }

  /** Requests one decision after the other. @param ended  called when no command waits any longer */
  async run(ended: () => void): Promise<void> {
    while (this.#waiting.length > 0) {
      const refusal = this.#recorder.refusal() ?? this.#own.refusal();
      if (refusal === null) await this.#decide(this.#takeNext());
      else refuseAll(this.#waiting.splice(0), refusal);
    }
    ended();
  }

  async #decide(commands: readonly Waiting[]): Promise<void> {
    const [{ db }] = commands as [Waiting];
    const header = { db, as: this.#as, multi: false, conditions: null };
    const entry = this.#own.sign(
      header,
      commands.map(({ argv }) => argv),
      this.#own.decidedDate(commands.map(({ followed }) => followed)),
    );
    const decided = await this.#recorder.decide(entry);
    if ("kind" in decided && decided.code === "too-much") {
      if (commands.length === 1) this.#refuse(commands, decided);
      else this.#split(commands);
      // This daemon may have tried them in this turn.
      await new Promise<void>((resolve) => this.#defer(resolve));
      return;
    }

    this.#max = Math.min(2 * this.#max, DECIDED_UNITS_MAX);
    if ("kind" in decided) this.#refuse(commands, decided);
    else answerAll(commands, decided, this.#recorder);
  }

  /** Puts commands back that are too much together: each of them has the steps of an envelope. */
  #split(commands: readonly Waiting[]): void {
    this.#waiting = [...commands, ...this.#waiting];
    this.#max = commands.length >> 1;
  }

  /** Takes the first commands that may share an envelope. */
  #takeNext(): readonly Waiting[] {
    const [first] = this.#waiting as [Waiting];
    let bytes = 0;
    const end = this.#waiting.findIndex((command, index) => {
      bytes += command.bytes;
      if (index === 0) return false;
      return command.db !== first.db || bytes > ENVELOPE_BYTES_MAX || index === this.#max;
    });
    return this.#waiting.splice(0, end === -1 ? this.#waiting.length : end);
  }

  /** Answers commands without a decision. If their effect is unknown, later ones of their connections are not sent. */
  #refuse(commands: readonly DecidedCommand[], refusal: RefusedEnvelope): void {
    if (refusal.effect !== "unknown") {
      refuseAll(commands, refusal);
      return;
    }
    const connections = new Set(commands.map(({ waiter }) => waiter.lastWrite));
    const isBehind = ({ waiter }: DecidedCommand) => connections.has(waiter.lastWrite);
    const unsent = this.#waiting.filter(isBehind);
    this.#waiting = this.#waiting.filter((command) => !isBehind(command));
    refuseAll(commands, { ...refusal, code: "undecided" }, false);
    refuseAll(unsent, refused("cannot-decide", NOT_SENT), false);
  }
}

function answerAll(
  commands: readonly DecidedCommand[],
  { orderKey, answers }: DecidedUnits,
  recorder: EntryRecorder,
): void {
  for (const { waiter } of commands) waiter.lastWrite.orderKey = orderKey;
  answerUnits(
    commands.map(({ waiter }) => waiter),
    answers,
    orderKey,
    recorder,
  );
  for (const { settle } of commands) settle(true);
}

function refuseAll(commands: readonly DecidedCommand[], refusal: Refused, isKnown = true): void {
  for (const { waiter, settle } of commands) {
    waiter.answered(refusal);
    settle(isKnown);
  }
}

/** The detail of the answer to a command that follows one with an unknown effect. */
export const NOT_SENT =
  "it was not sent, because the effect of an earlier command of this connection is unknown";
