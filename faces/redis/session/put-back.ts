/**
 * Puts back what commands took for a client that has gone: elements whose answer was not written to the socket before
 * the connection ended, because the disk was still being written. They are added again by a command of the daemon in
 * the client's name, so the client needs no right to it. No recorded command is removed. Source: docs/decisions/0066.
 */
import { type CommandSender, newLastWrite } from "../../../daemon/engine/backends/command-path.js";
import type { Unwritten } from "../../../daemon/net/connections/dialect.js";
import { findCommand } from "../../../daemon/store/command-table.js";
import type { Command } from "../../../daemon/store/rows/command-row.js";
import type { ByteString } from "../../../protocol/byte-string.js";
import type { Reply } from "../../../protocol/reply.js";
import { formatDouble } from "../../../protocol/resp/double-text.js";
import type { RespServer } from "./resp-server.js";

/**
 * Errors of a daemon that accepts no writes now: no majority of the members is connected, for example. The command had
 * no effect, and is sent again.
 */
const REFUSED_FOR_NOW = /^(NOTAPPLIED|LOADING) /;
const ATTEMPTS_MAX = 60;

type Argv = readonly ByteString[];

/** Returns the command that puts back what a command has taken. @param taken  the texts of the reply, at least one */
type PutBack = (argv: Argv, taken: Argv) => Argv;

const pushLeft = (key: ByteString, taken: Argv): Argv => ["LPUSH", key, ...taken.toReversed()];
const pushRight = (key: ByteString, taken: Argv): Argv => ["RPUSH", key, ...taken.toReversed()];
/** A member that was added again in the meantime keeps its new score. */
const addScored = (key: ByteString, taken: Argv): Argv => ["ZADD", key, "NX", ...scoresFirst(taken)];

/** Returns the form of a command whose reply begins with the key. */
const withKey =
  (putBack: (key: ByteString, taken: Argv) => Argv): PutBack =>
  (_argv, [key, ...taken]) =>
    putBack(key as ByteString, taken);

/** Returns the form of LMPOP. @param at  the index of the number of keys */
const fromEnd =
  (at: number): PutBack =>
  (argv, [key, ...taken]) => {
    const end = argv[at + 1 + Number(argv[at])]?.toUpperCase();
    return (end === "LEFT" ? pushLeft : pushRight)(key as ByteString, taken);
  };

/**
 * The commands that give elements to one client and store them nowhere else. What LMOVE or XREADGROUP has returned is
 * still in a list.
 */
const PUT_BACK: ReadonlyMap<string, PutBack> = new Map<string, PutBack>([
  ["LPOP", (argv, taken) => pushLeft(argv[1] as ByteString, taken)],
  ["RPOP", (argv, taken) => pushRight(argv[1] as ByteString, taken)],
  ["LMPOP", fromEnd(1)],
  ["BLPOP", withKey(pushLeft)],
  ["BRPOP", withKey(pushRight)],
  ["BLMPOP", fromEnd(2)],
  ["SPOP", (argv, taken) => ["SADD", argv[1] as ByteString, ...taken]],
  ["ZPOPMIN", (argv, taken) => addScored(argv[1] as ByteString, taken)],
  ["ZPOPMAX", (argv, taken) => addScored(argv[1] as ByteString, taken)],
  ["ZMPOP", withKey(addScored)],
  ["BZPOPMIN", withKey(addScored)],
  ["BZPOPMAX", withKey(addScored)],
  ["BZMPOP", withKey(addScored)],
]);

/** A command that takes elements, until its answer is written to the socket. */
export class Taking implements Unwritten {
  readonly argv: Argv;
  readonly db: number;
  /** The user's name in the audit log, or null if no user was authenticated. */
  readonly as: ByteString | null;
  /** The index among the commands of the connection that take elements. */
  readonly index: number;
  readonly #form: PutBack;
  readonly #takings: Takings;
  #reply: Reply | null = null;

  constructor(takings: Takings, form: PutBack, argv: Argv, { db, as }: CommandSender) {
    this.#takings = takings;
    this.#form = form;
    this.argv = argv;
    this.db = db;
    this.as = as;
    this.index = takings.begun++;
  }

  /** Receives the reply, before it is passed on to be written. */
  answered(reply: Reply): void {
    this.#reply = reply;
    this.#takings.answered();
  }

  unwritten(): void {
    this.#takings.unwritten(this);
  }

  /** The command that puts back the elements, or null if there are none. */
  get putBack(): Argv | null {
    const taken = this.#reply === null ? [] : textsOf(this.#reply);
    return taken.length === 0 ? null : this.#form(this.argv, taken);
  }
}

/** The commands of a connection that take elements. */
export class Takings {
  readonly #server: RespServer;
  /** The number of commands so far. */
  begun = 0;
  #running = 0;
  #unwritten: Taking[] = [];
  #isScheduled = false;

  constructor(server: RespServer) {
    this.#server = server;
  }

  /** Returns an object that receives the reply to a command, or null if the command takes nothing. */
  begin({ name }: Command, argv: Argv, sender: CommandSender): Taking | null {
    const form = PUT_BACK.get(name);
    if (form === undefined) return null;
    this.#running++;
    return new Taking(this, form, argv, sender);
  }

  answered(): void {
    this.#running--;
  }

  /** Puts back what a command has taken, when the commands that are still running are answered. */
  unwritten(taking: Taking): void {
    this.#unwritten.push(taking);
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    process.nextTick(this.#putBack);
  }

  readonly #putBack = (): void => {
    this.#isScheduled = false;
    if (this.#running > 0) return;
    const unwritten = this.#unwritten;
    this.#unwritten = [];
    // What was taken last is put back first.
    for (const taking of unwritten.toSorted((a, b) => b.index - a.index)) this.#putBackOne(taking);
  };

  async #putBackOne({ putBack, db, as }: Taking): Promise<void> {
    if (putBack === null) return;
    const { path, environment, host, putBackRetries } = this.#server;
    const command = findCommand(putBack[0] as ByteString) as Command;
    const lastWrite = newLastWrite();
    for (let attempts = 1; ; attempts++) {
      const sender = { db, as, now: environment.clock(), readsAll: false, isStable: false, lastWrite };
      const reply = await path.execute(command, putBack, sender);
      if (reply.kind !== "error") return;

      // Through a sidecar, the text may be that of one daemon, although another one has applied the command.
      const hasNoEffect = path.localData !== null && REFUSED_FOR_NOW.test(reply.text);
      const mayRetry = hasNoEffect && attempts < ATTEMPTS_MAX;
      if (mayRetry && (await putBackRetries.next())) continue;
      host.log.warn(
        { command: command.name, reason: reply.text },
        "elements of a client that has gone may be lost",
      );
      return;
    }
  }
}

/** Returns the texts in a reply, in order. */
function textsOf(reply: Reply): ByteString[] {
  switch (reply.kind) {
    case "bulk":
      return [reply.bytes];
    case "double":
      return [reply.text ?? formatDouble(reply.value)];
    case "array":
    case "set":
    case "pairs":
      return reply.items.flatMap(textsOf);
    default:
      return [];
  }
}

/** Returns scores before their members. */
const scoresFirst = (pairs: Argv): ByteString[] => pairs.map((_text, i) => pairs[i ^ 1] as ByteString);
