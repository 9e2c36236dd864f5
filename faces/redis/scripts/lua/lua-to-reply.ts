/** Converts Lua values to replies. Source: redis-server 7.0, script_lua.c. */
import type { ByteString } from "../../../../protocol/byte-string.js";
import {
  array,
  bulk,
  double,
  error,
  integer,
  map,
  NIL,
  type Reply,
  set,
  status,
} from "../../../../protocol/reply.js";
import { integerOf } from "./c-numbers.js";
import { TYPE } from "./lua-exports.js";
import { LuaFailure, type LuaMachine } from "./lua-machine.js";
import { DEPTH_MAX, DEPTH_SLOTS, type Protocol } from "./reply-to-lua.js";
import { ValueMemoryLimit } from "./value-memory-limit.js";

/**
 * Returns the reply of a script, which is on top of the stack.
 * @param protocol  the protocol that the script has selected
 * @throws LuaFailure  the reply takes too much memory
 */
export function answerOf(machine: LuaMachine, state: number, protocol: Protocol): Reply {
  const tooLong = (): never => {
    throw new LuaFailure("the answer is too long");
  };
  return replyOf({ machine, state, protocol, allowance: new ValueMemoryLimit(machine, tooLong) }, -1, 0);
}

/** The machine and state that a reply is read from, the protocol, and the memory that is left for the reply. */
interface Answer {
  readonly machine: LuaMachine;
  readonly state: number;
  readonly protocol: Protocol;
  readonly allowance: ValueMemoryLimit;
}

function replyOf(answer: Answer, index: number, depth: number): Reply {
  const { machine, state, protocol, allowance } = answer;
  const { lua } = machine;
  if (depth > DEPTH_MAX || lua.lua_checkstack(state, DEPTH_SLOTS) === 0)
    return error("ERR reached lua stack limit");
  switch (lua.lua_type(state, index)) {
    case TYPE.string:
      return bulk(allowance.take(machine.text(state, index)));
    case TYPE.number:
      allowance.take("");
      return integerReply(lua.lua_tonumber(state, index));
    case TYPE.boolean:
      allowance.take("");
      return booleanReply(lua.lua_toboolean(state, index) === 1, protocol);
    case TYPE.table:
      allowance.take("");
      return tableReply(answer, index < 0 ? lua.lua_gettop(state) + index + 1 : index, depth);
    default:
      return NIL;
  }
}

function integerReply(value: number): Reply {
  return integer(Number.isSafeInteger(Math.trunc(value)) ? Math.trunc(value) + 0 : integerOf(value));
}

function booleanReply(value: boolean, protocol: Protocol): Reply {
  if (protocol === 2) return value ? integer(1) : NIL;
  return { kind: "resp3", written: value ? "#t\r\n" : "#f\r\n", plain: integer(value ? 1 : 0) };
}

function tableReply(answer: Answer, index: number, depth: number): Reply {
  const { machine, state, allowance } = answer;
  const { lua } = machine;
  const top = lua.lua_gettop(state);
  const field = (name: string): number => {
    lua.lua_settop(state, top);
    machine.pushName(state, name);
    lua.lua_rawget(state, index);
    return lua.lua_type(state, -1);
  };
  const line = () => oneLine(allowance.take(machine.text(state, -1)));
  try {
    if (hasElementsAlone(machine, state, index)) return array(elements(answer, index, depth));
    if (field("err") === TYPE.string) return error(line());
    if (field("ok") === TYPE.string) return status(line());
    if (field("double") === TYPE.number) return double(lua.lua_tonumber(state, -1));
    if (field("map") === TYPE.table) return map(fieldReplies(answer, true, depth));
    if (field("set") === TYPE.table) return set(fieldReplies(answer, false, depth));
    if (field("big_number") === TYPE.string) {
      const digits = line();
      return { kind: "resp3", written: `(${digits}\r\n`, plain: bulk(digits) };
    }
    if (field("verbatim_string") === TYPE.table) {
      const found = verbatimReply(answer);
      if (found !== null) return found;
    }
    return array(elements(answer, index, depth));
  } finally {
    lua.lua_settop(state, top);
  }
}

/**
 * Returns a text as Redis writes it into a one-line reply: up to the first NUL byte, where a C string ends, and with
 * spaces instead of line breaks.
 */
export function oneLine(text: ByteString): ByteString {
  const end = text.indexOf("\0");
  return (end < 0 ? text : text.slice(0, end)).replace(/[\r\n]/g, " ");
}

/**
 * Returns whether a table certainly has only array elements. For such tables, which are most, this check saves looking
 * up each special field.
 */
function hasElementsAlone({ lua }: LuaMachine, state: number, index: number): boolean {
  const length = lua.lua_objlen(state, index);
  if (length === 0) return false;
  lua.lua_pushnumber(state, length);
  if (lua.lua_next(state, index) === 0) return true;
  lua.lua_settop(state, -3);
  return false;
}

function elements(answer: Answer, index: number, depth: number): Reply[] {
  const { machine, state } = answer;
  const { lua } = machine;
  const found: Reply[] = [];
  for (let i = 1; ; i++) {
    lua.lua_rawgeti(state, index, i);
    if (lua.lua_type(state, -1) === TYPE.nil) {
      lua.lua_settop(state, -2);
      return found;
    }
    found.push(replyOf(answer, -1, depth + 1));
    lua.lua_settop(state, -2);
  }
}

/** Converts the keys of the table on top of the stack, and its values if requested. */
function fieldReplies(answer: Answer, withValues: boolean, depth: number): Reply[] {
  const { machine, state } = answer;
  const { lua } = machine;
  const index = lua.lua_gettop(state);
  const found: Reply[] = [];
  lua.lua_pushnil(state);
  while (lua.lua_next(state, index) !== 0) {
    // Convert a copy of the key, because converting a number in place would confuse lua_next.
    lua.lua_pushvalue(state, -2);
    found.push(replyOf(answer, -1, depth + 1));
    lua.lua_settop(state, -2);
    if (withValues) found.push(replyOf(answer, -1, depth + 1));
    lua.lua_settop(state, -2);
  }
  return found;
}

function verbatimReply({ machine, state, allowance }: Answer): Reply | null {
  const { lua } = machine;
  machine.push(state, "format");
  lua.lua_rawget(state, -2);
  machine.push(state, "string");
  lua.lua_rawget(state, -3);
  if (lua.lua_type(state, -2) !== TYPE.string || lua.lua_type(state, -1) !== TYPE.string) return null;
  const bytes = allowance.take(machine.text(state, -1));
  const format = machine.text(state, -2).slice(0, 3).padEnd(3);
  return { kind: "resp3", written: `=${bytes.length + 4}\r\n${format}:${bytes}\r\n`, plain: bulk(bytes) };
}
