/**
 * Implements MULTI, EXEC, DISCARD, WATCH and UNWATCH. Queued commands run in one step. On a daemon that records writes,
 * the queued commands form one unit: an envelope with `multi`, whose `if` contains the watched keys. Error texts are
 * those of redis-server 7.0.
 */

import type { CommandSender, StepRunner, Writers } from "../../../daemon/engine/backends/command-path.js";
import { custom } from "../../../daemon/store/arguments/command-errors.js";
import type { AclRefusal } from "../../../daemon/store/rights/acl.js";
import type { ByteString } from "../../../protocol/byte-string.js";
import { finishReply } from "../../../protocol/lazy-replies.js";
import { array, error, NIL, NIL_ARRAY, OK, type Reply } from "../../../protocol/reply.js";
import { type Condition, UNIT_COMMANDS_MAX } from "../../../protocol/version-2/envelope.js";
import type { User } from "../../users/users.js";
import { noteRefusal } from "../session/refused-commands.js";
import type { Queued, RespSession, SessionHandler } from "../session/resp-session.js";
import { execTurnsOf } from "./channel-commands.js";
import { publishingAfter } from "./script-commands.js";

const ABORTED = error("EXECABORT Transaction discarded because of previous errors.");
const ONE_DATABASE = error(
  "EXECABORT Transaction discarded: on a daemon that records commands, a transaction may use only one database",
);
const ONE_USER = error(
  "EXECABORT Transaction discarded: on a daemon that records commands, a transaction may have only one user",
);
const TOO_MANY = error(
  `EXECABORT Transaction discarded: on a daemon that records commands, a transaction that writes may have at most ${UNIT_COMMANDS_MAX} commands`,
);
const NOT_WITH_SCRIPTS = error(
  "ERR on a daemon that records commands, this command cannot be in a transaction with scripts",
);
const NO_LONGER_ALLOWED =
  "NOPERM ACLs rules changed between the moment the transaction was accumulated and the EXEC call. " +
  "This command is no longer allowed for the following reason: ";
/** Maximum number of conditions in an envelope. */
const WATCHED_MAX = 1024;

export const transactionHandlers: readonly (readonly [string, SessionHandler])[] = [
  ["MULTI", multi],
  ["EXEC", (session) => exec(session, session.server.scripts.isReady)],
  ["DISCARD", discard],
  ["WATCH", watch],
  ["UNWATCH", unwatch],
];

function multi(session: RespSession): Reply {
  if (session.queued !== null) throw custom("ERR MULTI calls can not be nested");
  session.queued = [];
  return OK;
}

function discard(session: RespSession): Reply {
  if (session.queued === null) throw custom("ERR DISCARD without MULTI");
  session.leaveTransaction();
  return OK;
}

function watch(session: RespSession, argv: readonly ByteString[]): Reply | Promise<Reply> {
  if (session.queued !== null) throw custom("ERR WATCH inside MULTI is not allowed");
  const { db, server, watched } = session;
  const fresh = [...new Set(argv.slice(1).filter((key) => !watched.has(db, key)))];
  if (server.path.records && watched.size + fresh.length > WATCHED_MAX)
    throw custom(`ERR on a daemon that records commands, at most ${WATCHED_MAX} keys can be watched`);
  if (fresh.length === 0) return OK;

  const noted = (writers: Writers): Reply => {
    for (const [at, key] of fresh.entries()) watched.add({ db, key, writer: writers[at] ?? "" });
    return OK;
  };

  const writers = server.path.writersOf(db, fresh);
  if (!(writers instanceof Promise)) return noted(writers);

  return writers.then((found) => ("kind" in found ? found : noted(found)));
}

function unwatch({ watched }: RespSession): Reply {
  watched.clear();
  return OK;
}

/** @param isReady  false if the engine of scripts must be loaded first; true if it is loaded or has failed to load */
function exec(session: RespSession, isReady: boolean): Reply | Promise<Reply> {
  const { queued, hasQueueError, server, db } = session;
  const { user } = session.userSession;
  if (queued === null) throw custom("ERR EXEC without MULTI");

  const hasScripts = queued.some(({ route }) => route.command.runsScript === true);
  if (hasScripts && !isReady)
    return server.scripts.load().then(
      () => exec(session, true),
      () => exec(session, true),
    );

  const { conditions, hasChanged } = session.watched;
  session.leaveTransaction();
  if (hasQueueError) return ABORTED;
  if (hasChanged || !server.path.hold(conditions)) return server.path.whenSafe(NIL_ARRAY);
  // The commands of scripts show how far the lists are taken.
  const turns = hasScripts ? null : execTurnsOf(queued);
  session.execTurns = turns;
  const reply = !server.path.records
    ? executing(session, hasScripts, () => execHere(session, queued))
    : hasScripts
      ? execInSteps(session, queued, conditions)
      : executing(session, false, () => execRecorded(session, queued, conditions));

  const ended = (one: Reply) => {
    // The transaction was refused, or did not run: its SELECT and AUTH take no effect either.
    if (one.kind !== "array") {
      session.db = db;
      session.userSession.user = user;
    }
    return withErrorsCounted(session, one);
  };

  // A refused transaction also takes its lists of names completely.
  const complete = turns?.taken == null ? reply : turns.taken.then(() => reply);
  return complete instanceof Promise ? complete.then(ended) : ended(complete);
}

/** Runs commands of a transaction. The scripts among them share one time limit. */
function executing<Result>(session: RespSession, hasScripts: boolean, run: () => Result): Result {
  session.isExecuting = true;
  if (hasScripts) session.scriptsSince = session.server.environment.uptime();
  try {
    return run();
  } finally {
    session.isExecuting = false;
    session.execTurns = null;
    session.scriptsSince = null;
  }
}

/**
 * Counts the errors of a transaction's commands for INFO. The error of the answer itself is counted where it is sent.
 */
function withErrorsCounted({ server }: RespSession, reply: Reply): Reply {
  if (reply.kind === "array")
    for (const item of reply.items) if (item.kind === "error") server.failed(item.text);
  return reply;
}

/** Runs the queued commands as one unit in this turn, one by one. */
function execHere(session: RespSession, queued: readonly Queued[]): Reply | Promise<Reply> {
  const { channels, path } = session.server;
  const program = () => joined(queued.map((one) => runOne(session, one)));
  return publishingAfter(channels, program, (held) => path.sharing(held));
}

function runOne(session: RespSession, { route, argv }: Queued): Reply | Promise<Reply> {
  const served = denialOf(session, { route, argv }) ?? session.call(route, argv) ?? NIL;
  if (!("kind" in served)) return served.then((reply) => reply ?? NIL);
  if (served.kind === "later") throw new Error(`${route.command.name} is recorded separately`);
  return finishReply(served);
}

/** Runs a transaction with scripts. Scripts see what earlier commands wrote, so the unit is built step by step. */
function execInSteps(
  session: RespSession,
  queued: readonly Queued[],
  conditions: readonly Condition[],
): Reply | Promise<Reply> {
  const sender = senderOf(session, session);
  const { channels, path } = session.server;
  const runAll = (run: StepRunner): Reply => {
    session.steps = run;
    try {
      return array(queued.map((one) => stepOf(session, one, run)));
    } finally {
      session.steps = null;
    }
  };
  const program = (run: StepRunner): Reply => executing(session, true, () => runAll(run));
  return publishingAfter(channels, program, (held) => path.executeInSteps(held, conditions, sender));
}

function stepOf(session: RespSession, { route, argv }: Queued, run: StepRunner): Reply {
  const denial = denialOf(session, { route, argv });
  if (denial !== null) return denial;
  if (route.handler === null) return run(route.command, argv, session.db);
  const reply = runOne(session, { route, argv });
  return reply instanceof Promise ? NOT_WITH_SCRIPTS : reply;
}

/** Checks the permission again, because the user or its rules may have changed since the command was queued. */
function denialOf(session: RespSession, { route, argv }: Queued): Reply | null {
  const refusal = session.userSession.refusal(route.command, argv);
  if (refusal === null) return null;
  noteRefusal(session, route.command, refusal);
  return error(NO_LONGER_ALLOWED + REFUSED[refusal.what]);
}

const REFUSED: Readonly<Record<AclRefusal["what"], string>> = {
  command: "no permission to execute the command or subcommand",
  key: "no permission to touch the specified keys",
  channel: "no permission to access one of the channels used as arguments",
};

/** Runs a recorded transaction. The store executes all of its commands, unless some need the connection. */
function execRecorded(
  session: RespSession,
  queued: readonly Queued[],
  conditions: readonly Condition[],
): Reply | Promise<Reply> {
  const isUsual =
    queued.length > 0 &&
    queued.length <= UNIT_COMMANDS_MAX &&
    session.tracker === null &&
    queued.every((one) => one.route.handler === null && denialOf(session, one) === null);
  if (!isUsual) return execInParts(session, queued, conditions);

  const calls = queued.map(({ route: { command }, argv }) => ({ command, argv }));
  return session.server.path.executeTogether(calls, conditions, senderOf(session, session));
}

/** A queued command that the store executes, with its database and user. */
interface QueuedCall extends Queued {
  /** The index of the call's reply in the transaction's array. */
  readonly index: number;
  readonly db: number;
  readonly user: User | null;
}

/** Runs a recorded transaction. The connection executes its own commands now; the remaining commands form one unit. */
function execInParts(
  session: RespSession,
  queued: readonly Queued[],
  conditions: readonly Condition[],
): Reply | Promise<Reply> {
  const replies: (Reply | Promise<Reply>)[] = [];
  const calls: QueuedCall[] = [];
  const published: (Queued & { readonly index: number })[] = [];
  const withPublished = (): Reply | Promise<Reply> => {
    for (const { index, ...one } of published) replies[index] = runOne(session, one);
    return joined(replies);
  };

  for (const [index, one] of queued.entries()) {
    // Messages are published after the unit, because subscribers may react immediately.
    if (one.route.command.channels === "first") {
      published.push({ ...one, index });
      continue;
    }
    const denial = denialOf(session, one);
    if (denial === null && one.route.handler === null)
      calls.push({ ...one, index, db: session.db, user: session.user });
    else replies[index] = denial ?? runOne(session, one);
  }

  const [first] = calls;
  if (first === undefined) return withPublished();
  if (calls.some(({ db }) => db !== first.db)) return ONE_DATABASE;
  if (calls.some(({ user }) => user !== first.user)) return ONE_USER;
  if (calls.length > UNIT_COMMANDS_MAX && calls.some(({ route }) => route.writes)) return TOO_MANY;

  const merge = (reply: Reply): Reply | Promise<Reply> => {
    if (reply.kind !== "array") return reply;
    for (const [i, { index }] of calls.entries()) replies[index] = reply.items[i] ?? NIL;
    const { tracking } = session.server;
    if (tracking.size > 0)
      for (const { route, argv } of calls) tracking.ranEarlier(session, route.command, argv);
    return withPublished();
  };

  const unit = session.server.path.executeTogether(
    calls.map(({ route: { command }, argv }) => ({ command, argv })),
    conditions,
    senderOf(session, first),
  );
  return unit instanceof Promise ? unit.then(merge) : merge(unit);
}

function senderOf(
  { now, isStable, lastWrite, encoding }: RespSession,
  { db, user }: RespSession | QueuedCall,
): CommandSender {
  return {
    db,
    now,
    isStable,
    lastWrite,
    encoding,
    as: user?.name ?? null,
    readsAll: user?.acl.mayReadAll ?? false,
  };
}

function joined(replies: readonly (Reply | Promise<Reply>)[]): Reply | Promise<Reply> {
  return replies.some((reply) => reply instanceof Promise)
    ? Promise.all(replies).then(array)
    : array(replies as Reply[]);
}
