/**
 * MULTI, EXEC, DISCARD, WATCH, UNWATCH. What was queued is run in one step; where writes are recorded it is one unit, an
 * envelope with `multi`, and what was watched its `if`. Texts: redis-server 7.0.
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import { array, error, NIL, NIL_ARRAY, OK, type Reply } from "../../../protocol/reply.js";
import { custom } from "../../../store/errors.js";
import type { Queued, RespSession, SessionHandler } from "./session.js";

const ABORTED = error("EXECABORT Transaction discarded because of previous errors.");
const ONE_DATABASE = error(
  "EXECABORT Transaction discarded: where commands are recorded, those of a transaction are for one database",
);
const NO_LONGER_ALLOWED =
  "NOPERM ACLs rules changed between the moment the transaction was accumulated and the EXEC call. " +
  "This command is no longer allowed for the following reason: ";
/** Conditions that an envelope may have. */
const WATCHED_MAX = 1024;

export const transactionHandlers: readonly (readonly [string, SessionHandler])[] = [
  ["MULTI", multi],
  ["EXEC", exec],
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

function watch(session: RespSession, argv: readonly ByteString[]): Reply {
  if (session.queued !== null) throw custom("ERR WATCH inside MULTI is not allowed");
  const { db, host } = session;
  const known = new Set(session.watched.map((one) => `${one.db} ${one.key}`));
  const fresh = new Set(argv.slice(1).filter((key) => !known.has(`${db} ${key}`)));
  if (host.path.records && session.watched.length + fresh.size > WATCHED_MAX)
    throw custom(`ERR at most ${WATCHED_MAX} keys can be watched where commands are recorded`);
  const seen = [...fresh].map((key) => ({ db, key, writer: host.path.writerOf(db, key) }));
  session.watched = [...session.watched, ...seen];
  return OK;
}

function unwatch(session: RespSession): Reply {
  session.watched = [];
  return OK;
}

function exec(session: RespSession): Reply | Promise<Reply> {
  const { queued, isSpoilt, watched, host } = session;
  if (queued === null) throw custom("ERR EXEC without MULTI");
  session.leaveTransaction();
  if (isSpoilt) return ABORTED;
  if (!host.path.hold(watched)) return NIL_ARRAY;
  session.isExecuting = true;
  try {
    return host.path.records ? execRecorded(session, queued, watched) : execHere(session, queued);
  } finally {
    session.isExecuting = false;
  }
}

/** In this turn, one by one. */
function execHere(session: RespSession, queued: readonly Queued[]): Reply | Promise<Reply> {
  return joined(queued.map((one) => runOne(session, one)));
}

function runOne(session: RespSession, { route, argv }: Queued): Reply | Promise<Reply> {
  return denialOf(session, { route, argv }) ?? session.call(route, argv) ?? NIL;
}

/** Who the connection is may have changed since a command was queued, or what he may do. */
function denialOf(session: RespSession, { route, argv }: Queued): Reply | null {
  const what = session.user?.acl.refusal(route.command, argv) ?? null;
  if (what === null) return null;
  const reason =
    what === "command"
      ? "no permission to execute the command or subcommand"
      : "no permission to touch the specified keys";
  return error(NO_LONGER_ALLOWED + reason);
}

/** What the connection does itself is done now, and the rest is one unit. */
function execRecorded(
  session: RespSession,
  queued: readonly Queued[],
  conditions: RespSession["watched"],
): Reply | Promise<Reply> {
  const replies: (Reply | Promise<Reply>)[] = [];
  const calls: { command: Queued["route"]["command"]; argv: readonly ByteString[]; place: number }[] = [];
  const numbers = new Set<number>();
  const before = session.db;
  for (const [place, one] of queued.entries()) {
    const denial = denialOf(session, one);
    if (denial !== null || one.route.handler !== null) {
      replies[place] = denial ?? runOne(session, one);
      continue;
    }
    calls.push({ command: one.route.command, argv: one.argv, place });
    numbers.add(session.db);
  }
  if (calls.length === 0) return joined(replies);
  const [db] = numbers;
  if (db === undefined || numbers.size > 1) {
    session.db = before;
    return ONE_DATABASE;
  }
  const { as, now, readsAll, isStable, host } = session;
  const unit = host.path.executeTogether(calls, conditions, { db, now, as, readsAll, isStable });
  const merge = (reply: Reply): Reply | Promise<Reply> => {
    if (reply.kind !== "array") return reply;
    for (const [i, { place }] of calls.entries()) replies[place] = reply.items[i] ?? NIL;
    return joined(replies);
  };
  return unit instanceof Promise ? unit.then(merge) : merge(unit);
}

function joined(replies: readonly (Reply | Promise<Reply>)[]): Reply | Promise<Reply> {
  return replies.some((reply) => reply instanceof Promise)
    ? Promise.all(replies).then(array)
    : array(replies as Reply[]);
}
