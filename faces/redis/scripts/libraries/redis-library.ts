/**
 * The library `redis`: commands, and Redis's other functions for scripts; and the constants of all libraries, that is,
 * their fields that are not functions. Messages: redis-server 7.0, script_lua.c.
 */
import { createHash } from "node:crypto";
import type { ByteString } from "../../../../protocol/byte-string.js";
import { error } from "../../../../protocol/reply.js";
import { formatDouble } from "../../../../protocol/resp/double-text.js";
import { REDIS_VERSION } from "../../../../protocol/resp/redis-version.js";
import { type Library, TYPE } from "../lua/lua-exports.js";
import type { LuaMachine } from "../lua/lua-machine.js";
import { pushError, pushNamed, pushReply } from "../lua/reply-conversion.js";
import type { ScriptRun } from "../lua/script-run.js";

/** The highest log level: LOG_WARNING. */
const LEVEL_MAX = 3;
const REPL_ALL = 3;

const REDIS_NUMBERS: Readonly<Record<string, number>> = {
  LOG_DEBUG: 0,
  LOG_VERBOSE: 1,
  LOG_NOTICE: 2,
  LOG_WARNING: 3,
  REPL_NONE: 0,
  REPL_AOF: 1,
  REPL_SLAVE: 2,
  REPL_REPLICA: 2,
  REPL_ALL,
};

/** @param current  returns the run of the script that calls the library */
export function redisLibrary(machine: LuaMachine, current: () => ScriptRun): Library {
  const { lua } = machine;
  const raise = (state: number, text: ByteString): never => {
    pushError(machine, state, `ERR ${text}`);
    lua.lua_error(state);
    throw new Error("Lua did not raise the error");
  };

  return {
    call: (state) => answered(machine, state, current(), true),
    pcall: (state) => answered(machine, state, current(), false),
    error_reply: (state) => {
      const text = singleArgument(machine, state);
      if (text !== null) pushNamed(machine, state, "err", errorText(text));
      return 1;
    },
    status_reply: (state) => {
      const text = singleArgument(machine, state);
      if (text !== null) pushNamed(machine, state, "ok", text);
      return 1;
    },
    sha1hex(state) {
      if (lua.lua_gettop(state) !== 1) return raise(state, "wrong number of arguments");
      machine.push(state, sha1Hex(machine.text(state, 1)));
      return 1;
    },
    log: (state) => logged(machine, state, current(), raise),
    setresp(state) {
      if (lua.lua_gettop(state) !== 1) return raise(state, "redis.setresp() requires one argument.");
      const protocol = lua.lua_tonumber(state, 1);
      if (protocol !== 2 && protocol !== 3) return raise(state, "RESP version must be 2 or 3.");
      current().protocol = protocol;
      return 0;
    },
    set_repl(state) {
      if (lua.lua_gettop(state) !== 1) return raise(state, "redis.set_repl() requires one argument.");
      const flags = lua.lua_tonumber(state, 1);
      if ((flags & ~REPL_ALL) !== 0)
        return raise(
          state,
          "Invalid replication flags. Please use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE.",
        );
      return 0;
    },
    replicate_commands(state) {
      lua.lua_pushboolean(state, 1);
      return 1;
    },
    breakpoint(state) {
      lua.lua_pushboolean(state, 0);
      return 1;
    },
    debug: () => 0,
    acl_check_cmd(state) {
      const argv = commandOf(machine, state);
      if (typeof argv === "string") return raise(state, argv);
      const may = current().caller.may(argv);
      if (may === null) return raise(state, "Invalid command passed to redis.acl_check_cmd()");
      lua.lua_pushboolean(state, may ? 1 : 0);
      return 1;
    },
  };
}

function sha1Hex(text: ByteString): string {
  return createHash("sha1").update(text, "latin1").digest("hex");
}

function logged(
  machine: LuaMachine,
  state: number,
  { caller }: ScriptRun,
  raise: (state: number, text: ByteString) => never,
): number {
  const { lua } = machine;
  if (lua.lua_gettop(state) < 2) return raise(state, "redis.log() requires two arguments or more.");
  if (lua.lua_type(state, 1) !== TYPE.number)
    return raise(state, "First argument must be a number (log level).");

  const level = Math.trunc(lua.lua_tonumber(state, 1));
  if (level < 0 || level > LEVEL_MAX) return raise(state, "Invalid debug level.");

  const words: ByteString[] = [];
  for (let i = 2; i <= lua.lua_gettop(state); i++)
    if (lua.lua_isstring(state, i) === 1) words.push(machine.text(state, i));
  caller.log(level, words.join(" "));
  return 0;
}

/** Returns the command that the arguments of `redis.call` contain, or an error message. */
function commandOf(machine: LuaMachine, state: number): ByteString[] | string {
  const { lua } = machine;
  const count = lua.lua_gettop(state);
  if (count === 0) return "Please specify at least one argument for this redis lib call";

  const argv: ByteString[] = new Array(count);
  for (let i = 1; i <= count; i++) {
    const type = lua.lua_type(state, i);
    if (type === TYPE.string) argv[i - 1] = machine.text(state, i);
    else if (type === TYPE.number) argv[i - 1] = formatDouble(lua.lua_tonumber(state, i));
    else return "Lua redis lib command arguments must be strings or integers";
  }

  return argv;
}

function answered(machine: LuaMachine, state: number, run: ScriptRun, raises: boolean): number {
  run.checkTime(() => machine.position(state, 1));
  const argv = commandOf(machine, state);
  machine.lua.lua_settop(state, 0);
  const reply = typeof argv === "string" ? error(`ERR ${argv}`) : run.caller.call(argv);
  pushReply(machine, state, reply, run.protocol);
  if (reply.kind === "error" && raises) return machine.lua.lua_error(state);
  return 1;
}

/** Returns the argument if there is exactly one and it is a string. Otherwise pushes an error and returns null. */
function singleArgument(machine: LuaMachine, state: number): ByteString | null {
  const { lua } = machine;
  if (lua.lua_gettop(state) === 1 && lua.lua_type(state, 1) === TYPE.string) return machine.text(state, 1);
  pushError(machine, state, "ERR wrong number or type of arguments");
  return null;
}

/** Adds an error code if the text has none. */
function errorText(bytes: ByteString): ByteString {
  const [text = ""] = bytes.split("\0", 1);
  const message = text.startsWith("-") ? text.slice(1) : text;
  return message.includes(" ") ? message.replace(/[\r\n]+$/, "") : `ERR ${message.replace(/[\r\n]+$/, "")}`;
}

/** `REDIS_VERSION` as a number, a byte for each part. */
const REDIS_VERSION_NUMBER = 0x07000f;
const CJSON_NAMES = [
  ["_NAME", "cjson"],
  ["_VERSION", "2.1.0"],
] as const;
const CMSGPACK_NAMES = [
  ["_NAME", "cmsgpack"],
  ["_VERSION", "lua-cmsgpack 0.4.0"],
] as const;

/** Sets the constants of all libraries. The table of libraries is on top of the stack. */
export function libraryConstants(machine: LuaMachine, state: number): void {
  const { lua } = machine;
  machine.push(state, "redis");
  lua.lua_rawget(state, -2);
  redisConstants(machine, state);
  lua.lua_settop(state, -2);
  machine.push(state, "cjson");
  lua.lua_rawget(state, -2);
  lua.lua_pushlightuserdata(state, 0);
  machine.setField(state, "null");
  setTexts(machine, state, CJSON_NAMES);
  lua.lua_settop(state, -2);
  machine.push(state, "cmsgpack");
  lua.lua_rawget(state, -2);
  setTexts(machine, state, CMSGPACK_NAMES);
  lua.lua_settop(state, -2);
}

/** Sets the constants of the library `redis`, whose table is on top of the stack. */
export function redisConstants(machine: LuaMachine, state: number): void {
  for (const [name, value] of Object.entries({ ...REDIS_NUMBERS, REDIS_VERSION_NUM: REDIS_VERSION_NUMBER })) {
    machine.lua.lua_pushnumber(state, value);
    machine.setField(state, name);
  }
  setTexts(machine, state, [["REDIS_VERSION", REDIS_VERSION]]);
}

function setTexts(machine: LuaMachine, state: number, texts: readonly (readonly [string, string])[]): void {
  for (const [name, text] of texts) {
    machine.push(state, text);
    machine.setField(state, name);
  }
}
