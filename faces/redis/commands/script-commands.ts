/**
 * Implements EVAL and its variants, SCRIPT, FCALL and FUNCTION. A script runs once, on this daemon. A daemon that
 * records writes records all writes of a script as one unit. Function libraries belong to this daemon only: they are
 * neither recorded nor sent to other daemons. Order and texts: redis-server 7.0, eval.c, functions.c.
 */
import { UnitLimits } from "../../../daemon/engine/answers/unit-limits.js";
import type { StepRunner } from "../../../daemon/engine/backends/command-path.js";
import type { Channels, HeldMessages, MessageCheck } from "../../../daemon/engine/channels/channels.js";
import { CommandFailure, custom, echoed } from "../../../daemon/store/arguments/command-errors.js";
import { integerArgument, parseInteger } from "../../../daemon/store/arguments/number-arguments.js";
import { globMatches } from "../../../daemon/store/patterns/glob.js";
import type { ByteString } from "../../../protocol/byte-string.js";
import {
  array,
  bulk,
  error,
  integer,
  map,
  NIL,
  OK,
  ONE,
  type Reply,
  set,
  status,
  ZERO,
} from "../../../protocol/reply.js";
import type { RestorePolicy } from "../scripts/function-libraries.js";
import type { FunctionLibrary } from "../scripts/function-loader.js";
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
function withScriptEngine(
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

const scriptLimitsOf = ({ server: { host, environment }, scriptsSince }: RespSession): RunLimits => ({
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
        new SessionCaller(session, run, rights, keys),
        scriptLimitsOf(session),
      ),
    );
  });
}

/** Returns `numkeys`, the argument after the script. */
function keyCount(argv: readonly ByteString[], count: number | bigint): number {
  if (count > argv.length - 3) throw custom("ERR Number of keys can't be greater than number of args");
  if (count < 0) throw custom("ERR Number of keys can't be negative");
  return Number(count);
}

/** Returns why a function, or a script with flags in its first line, is refused, or null if it may run. */
function refusalOf(
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
function runScript(session: RespSession, program: (run: StepRunner) => Reply): Reply | Promise<Reply> {
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
 * Executes a unit, and publishes its messages once it has taken effect. Otherwise, they are dropped.
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
    if (held !== null && hasTakenEffect(answer, held.result)) channels.publishHeld(held);
    return answer;
  };

  return reply instanceof Promise ? reply.then(publish) : publish(reply);
}

/**
 * Whether a program's unit has taken effect. A refused unit is answered with an error that is not the program's own
 * reply, and a unit whose conditions the members have found unmet with nil.
 */
function hasTakenEffect(answer: Reply, own: Reply | Promise<Reply> | null): boolean {
  return answer === own || (answer.kind !== "error" && answer.kind !== "nil-array");
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

export const functionHandlers: readonly (readonly [string, SessionHandler])[] = [
  ["FCALL", calling(false)],
  ["FCALL_RO", calling(true)],
  ["FUNCTION|DELETE", remove],
  ["FUNCTION|DUMP", ({ server }) => bulk(server.scripts.functions.dump())],
  ["FUNCTION|FLUSH", flushLibraries],
  ["FUNCTION|LIST", list],
  ["FUNCTION|LOAD", withScriptEngine(loadLibrary)],
  ["FUNCTION|RESTORE", withScriptEngine(restore)],
  ["FUNCTION|STATS", stats],
];

function calling(readsOnly: boolean): SessionHandler {
  return withScriptEngine((session, argv) => {
    const { scripts } = session.server;
    const found = scripts.functions.find(argv[1] as ByteString);
    if (found === undefined) throw custom("ERR Function not found");

    const { library, name } = found;
    const number = parseInteger(argv[2] as ByteString);
    if (number === undefined) throw custom("ERR Bad number of keys provided");

    const count = keyCount(argv, number);
    const flags = library.functions.get(name)?.flags ?? [];
    const writesNothing = flags.includes("no-writes");
    const allowsOom = flags.includes("allow-oom") || writesNothing;
    const refusal = refusalOf(session, readsOnly, writesNothing, allowsOom);
    if (refusal !== null) return refusal;

    const keys = argv.slice(3, 3 + count);
    const args = argv.slice(3 + count);
    return runScript(session, (run) => {
      const caller = new SessionCaller(session, run, { mayWrite: !writesNothing, allowsOom }, keys);
      return scripts.engine.runFunction(library, name, keys, args, caller, scriptLimitsOf(session));
    });
  });
}

/** `FUNCTION LOAD [REPLACE] code` */
function loadLibrary(session: RespSession, argv: readonly ByteString[]): Reply {
  const { scripts } = session.server;
  const options = argv.slice(2, -1);
  for (const option of options)
    if (!/^replace$/i.test(option)) throw custom(`ERR Unknown option given: ${echoed(option)}`);
  const code = argv.at(-1) as ByteString;
  return bulk(scripts.functions.load(code, options.length > 0, scripts.engine, scriptLimitsOf(session)));
}

/** `FUNCTION RESTORE payload [FLUSH|APPEND|REPLACE]` */
function restore(
  session: RespSession,
  [, subcommand, payload = "", policy, ...more]: readonly ByteString[],
): Reply {
  if (more.length > 0)
    throw custom(
      `ERR unknown subcommand or wrong number of arguments for '${echoed(subcommand ?? "")}'. Try FUNCTION HELP.`,
    );

  const chosen = (policy ?? "APPEND").toUpperCase();
  if (!isPolicy(chosen))
    throw custom("ERR Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE.");

  const { scripts } = session.server;
  scripts.functions.restore(payload, chosen, scripts.engine, scriptLimitsOf(session));
  return OK;
}

const isPolicy = (word: string): word is RestorePolicy =>
  word === "FLUSH" || word === "APPEND" || word === "REPLACE";

function remove({ server }: RespSession, [, , name = ""]: readonly ByteString[]): Reply {
  server.scripts.functions.delete(name);
  return OK;
}

/** `FUNCTION FLUSH [ASYNC|SYNC]` */
function flushLibraries(
  { server }: RespSession,
  [, subcommand, mode, ...more]: readonly ByteString[],
): Reply {
  if (more.length > 0)
    throw custom(
      `ERR unknown subcommand or wrong number of arguments for '${echoed(subcommand ?? "")}'. Try FUNCTION HELP.`,
    );
  if (mode !== undefined && !/^a?sync$/i.test(mode))
    throw new CommandFailure("ERR FUNCTION FLUSH only supports SYNC|ASYNC option");

  server.scripts.functions.flush();
  return OK;
}

/** `FUNCTION LIST [LIBRARYNAME pattern] [WITHCODE]` */
function list({ server }: RespSession, argv: readonly ByteString[]): Reply {
  const remaining = new Set(["WITHCODE", "LIBRARYNAME"]);
  let pattern: ByteString | null = null;
  for (let i = 2; i < argv.length; i++) {
    const option = (argv[i] as ByteString).toUpperCase();
    if (!remaining.delete(option)) throw custom(`ERR Unknown argument ${echoed(argv[i] as ByteString)}`);
    if (option !== "LIBRARYNAME") continue;
    if (++i === argv.length) throw custom("ERR library name argument was not given");
    pattern = (argv[i] as ByteString).toLowerCase();
  }

  const shown = server.scripts.functions.all.filter(
    ({ name }) => pattern === null || globMatches(pattern, name.toLowerCase()),
  );
  return array(shown.map((library) => libraryReply(library, !remaining.has("WITHCODE"))));
}

function libraryReply({ name, code, functions }: FunctionLibrary, withCode: boolean): Reply {
  const rows = [...functions.values()].map((one) =>
    map([
      ...[bulk("name"), bulk(one.name)],
      ...[bulk("description"), one.description === null ? NIL : bulk(one.description)],
      ...[bulk("flags"), set(one.flags.map((flag) => status(flag)))],
    ]),
  );
  return map([
    ...[bulk("library_name"), bulk(name), bulk("engine"), bulk("LUA"), bulk("functions"), array(rows)],
    ...(withCode ? [bulk("library_code"), bulk(code)] : []),
  ]);
}

/** Answers FUNCTION STATS. No function is running, because only one command runs at a time. */
function stats({ server }: RespSession): Reply {
  const { functions } = server.scripts;
  const counts = map([
    ...[bulk("libraries_count"), integer(functions.all.length)],
    ...[bulk("functions_count"), integer(functions.functions)],
  ]);
  return map([bulk("running_script"), NIL, bulk("engines"), map([bulk("LUA"), counts])]);
}
