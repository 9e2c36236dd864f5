/**
 * Implements FCALL and FUNCTION. Function libraries belong to this daemon only: they are neither recorded nor sent to
 * other daemons. Order and texts: redis-server 7.0, functions.c.
 */

import { CommandFailure, custom, echoed } from "../../../daemon/store/arguments/command-errors.js";
import { parseInteger } from "../../../daemon/store/arguments/number-arguments.js";
import { globMatches } from "../../../daemon/store/patterns/glob.js";
import type { ByteString } from "../../../protocol/byte-string.js";
import { array, bulk, integer, map, NIL, OK, type Reply, set, status } from "../../../protocol/reply.js";
import type { RestorePolicy } from "../scripts/function-libraries.js";
import type { FunctionLibrary } from "../scripts/function-library.js";
import type { RespSession, SessionHandler } from "../session/resp-session.js";
import { SessionCaller } from "../session/script-caller.js";
import { keyCount, refusalOf, runScript, scriptLimitsOf, withScriptEngine } from "./script-commands.js";

export const functionHandlers: readonly (readonly [string, SessionHandler])[] = [
  ["FCALL", calling(false)],
  ["FCALL_RO", calling(true)],
  ["FUNCTION|DELETE", remove],
  ["FUNCTION|DUMP", ({ server }) => bulk(server.scripts.functions.dump())],
  ["FUNCTION|FLUSH", flush],
  ["FUNCTION|LIST", list],
  ["FUNCTION|LOAD", withScriptEngine(load)],
  ["FUNCTION|RESTORE", withScriptEngine(restore)],
  ["FUNCTION|STATS", stats],
];

function calling(readsOnly: boolean): SessionHandler {
  return withScriptEngine((session, argv) => {
    const { scripts } = session.server;
    const name = argv[1] as ByteString;
    const library = scripts.functions.find(name);
    if (library === undefined) throw custom("ERR Function not found");
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
      const caller = new SessionCaller(session, run, { mayWrite: !writesNothing, allowsOom });
      return scripts.engine.runFunction(library, name, keys, args, caller, scriptLimitsOf(session));
    });
  });
}

/** `FUNCTION LOAD [REPLACE] code` */
function load(session: RespSession, argv: readonly ByteString[]): Reply {
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
function flush({ server }: RespSession, [, subcommand, mode, ...more]: readonly ByteString[]): Reply {
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
    pattern = argv[i] as ByteString;
  }
  const shown = server.scripts.functions.all.filter(
    ({ name }) => pattern === null || globMatches(pattern, name),
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
