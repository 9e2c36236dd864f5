/**
 * Implements EVAL and its variants, and SCRIPT. A script runs once, on this daemon. A daemon that records
 * writes records all writes of a script as one unit. Order and texts: redis-server 7.0, eval.c.
 */

import { UnitLimits } from "../../../daemon/engine/answers/unit-limits.js";
import type { StepRunner } from "../../../daemon/engine/backends/command-path.js";
import type { Channels, HeldMessages, MessageCheck } from "../../../daemon/engine/channels/channels.js";
import { CommandFailure, custom } from "../../../daemon/store/arguments/command-errors.js";
import { integerArgument } from "../../../daemon/store/arguments/number-arguments.js";
import type { ByteString } from "../../../protocol/byte-string.js";
import { array, bulk, error, OK, ONE, type Reply, ZERO } from "../../../protocol/reply.js";
import type { RunLimits } from "../scripts/script-engine.js";
import type { RespSession, SessionHandler } from "../session/resp-session.js";
import { SessionCaller } from "../session/script-caller.js";

const NO_SCRIPT = new CommandFailure("NOSCRIPT No matching script. Please use EVAL.");
const NOT_FULL = error(
  "OOM allow-oom flag is not set on the script, can not run it when used memory > 'maxmemory'",
);
const NOT_READING = error("ERR Can not execute a script with write flag using *_ro command.");

export const scriptHandlers: readonly (readonly [string, SessionHandler])[] = [
  ["EVAL", evaluating({ bySha: false, readsOnly: false })],
  ["EVAL_RO", evaluating({ bySha: false, readsOnly: true })],
  ["EVALSHA", evaluating({ bySha: true, readsOnly: false })],
  ["EVALSHA_RO", evaluating({ bySha: true, readsOnly: true })],
  ["SCRIPT|DEBUG", debug],
  ["SCRIPT|EXISTS", exists],
  ["SCRIPT|FLUSH", flush],
  ["SCRIPT|LOAD", withScriptEngine(load)],
];

/** Loads the script engine before the first script, then calls the handler. */
export function withScriptEngine(
  handler: (session: RespSession, argv: readonly ByteString[]) => Reply | Promise<Reply>,
): SessionHandler {
  return (session, argv) => {
    const { scripts } = session.server;
    if (scripts.isReady) return handler(session, argv);
    return scripts
      .load()
      .then(() => handler(session, argv))
      .catch((failure) => {
        if (failure instanceof CommandFailure) return failure.reply;
        throw failure;
      });
  };
}

export const scriptLimitsOf = ({ server: { host, environment }, scriptsSince }: RespSession): RunLimits => ({
  memory: host.limits.luaMemory,
  time: host.limits.luaTimeLimit,
  spent: scriptsSince === null ? 0 : environment.uptime() - scriptsSince,
});

function evaluating({ bySha, readsOnly }: { bySha: boolean; readsOnly: boolean }): SessionHandler {
  return withScriptEngine((session, argv) => {
    const { scripts } = session.server;
    const count = keyCount(argv, integerArgument(argv[2] as ByteString));
    const text = argv[1] as ByteString;
    const script = bySha ? scripts.find(text) : scripts.add(text, false, scriptLimitsOf(session));
    if (script === undefined) throw NO_SCRIPT;
    const { writesNothing, allowsFull } = script;
    const refusal = allowsFull === null ? null : refusalOf(session, readsOnly, writesNothing, allowsFull);
    if (refusal !== null) return refusal;
    const keys = argv.slice(3, 3 + count);
    const rights = {
      mayWrite: !readsOnly && !writesNothing,
      allowsOom: allowsFull === true,
    };
    return runScript(session, (run) =>
      scripts.run(
        script,
        keys,
        argv.slice(3 + count),
        new SessionCaller(session, run, rights),
        scriptLimitsOf(session),
      ),
    );
  });
}

/** Returns `numkeys`, the argument after the script. */
export function keyCount(argv: readonly ByteString[], count: number | bigint): number {
  if (count > argv.length - 3) throw custom("ERR Number of keys can't be greater than number of args");
  if (count < 0) throw custom("ERR Number of keys can't be negative");
  return Number(count);
}

/** Returns why a function, or a script with flags in its first line, is refused, or null if it may run. */
export function refusalOf(
  { userSession }: RespSession,
  readsOnly: boolean,
  writesNothing: boolean,
  allowsOom: boolean,
): Reply | null {
  if (readsOnly && !writesNothing) return NOT_READING;
  return !allowsOom && userSession.isMemoryFull ? NOT_FULL : null;
}

/**
 * Runs a script as a step of EXEC, or as its own unit. A database that the script selects is selected only for the
 * script.
 */
export function runScript(session: RespSession, program: (run: StepRunner) => Reply): Reply | Promise<Reply> {
  const { db, isExecuting, steps } = session;
  const contained = (run: StepRunner): Reply => {
    session.isExecuting = true;
    try {
      return program(run);
    } finally {
      session.isExecuting = isExecuting;
      session.db = db;
    }
  };
  const { path, channels } = session.server;
  if (steps !== null) return contained(steps);
  return publishingAfter(channels, contained, (held) => path.executeInSteps(held, [], session));
}

/**
 * Executes a unit, and publishes its messages once it has taken effect. If the unit is refused, they are dropped.
 * @param program  runs the unit's commands
 * @param execute  executes the unit, by calling the function that it receives in place of the program
 */
export function publishingAfter<Args extends readonly unknown[], Answer extends Reply | Promise<Reply>>(
  channels: Channels,
  program: (...args: Args) => Answer,
  execute: (program: (...args: Args) => Answer) => Reply | Promise<Reply>,
): Reply | Promise<Reply> {
  let held: HeldMessages<Answer> | null = null;
  const reply = execute((...args) => {
    held = channels.holding(() => program(...args), newLimits);
    return held.result as Answer;
  });
  const publish = (answer: Reply): Reply => {
    // A refused unit is answered with an error that is not the program's own reply.
    if (held !== null && (answer.kind !== "error" || answer === held.result)) channels.publishHeld(held);
    return answer;
  };
  return reply instanceof Promise ? reply.then(publish) : publish(reply);
}

function newLimits(): MessageCheck {
  const limits = new UnitLimits();
  return ({ channel, text }) => limits.add([channel, text]);
}

function load(session: RespSession, argv: readonly ByteString[]): Reply {
  return bulk(session.server.scripts.add(argv[2] as ByteString, true, scriptLimitsOf(session)).sha);
}

function exists({ server: { scripts } }: RespSession, argv: readonly ByteString[]): Reply {
  return array(argv.slice(2).map((sha) => (scripts.find(sha) === undefined ? ZERO : ONE)));
}

/** `SCRIPT FLUSH [ASYNC|SYNC]` */
function flush({ server: { scripts } }: RespSession, [, , mode, ...more]: readonly ByteString[]): Reply {
  if (more.length > 0 || (mode !== undefined && !/^a?sync$/i.test(mode)))
    throw custom("ERR SCRIPT FLUSH only support SYNC|ASYNC option");
  scripts.flush();
  return OK;
}

function debug(_: RespSession, [, , mode = ""]: readonly ByteString[]): Reply {
  if (/^no$/i.test(mode)) return OK;
  if (/^(yes|sync)$/i.test(mode)) throw custom("ERR there is no script debugger");
  throw custom("ERR Use SCRIPT DEBUG YES/SYNC/NO");
}
