/** Converts replies to Lua values, and Lua values to replies. Source: redis-server 7.0, script_lua.c. */
import type { ByteString } from "../../../../protocol/byte-string.js";
import { LazyBulkReply } from "../../../../protocol/lazy-replies.js";
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
import { formatDouble } from "../../../../protocol/resp/double-text.js";
import { integerOf } from "./c-numbers.js";
import { TYPE } from "./lua-exports.js";
import { LuaFailure, type LuaMachine, ValueMemoryLimit } from "./lua-machine.js";

export type Protocol = 2 | 3;

/** The number of slots that one level of a reply needs on Lua's stack. */
const DEPTH_SLOTS = 6;
/** Maximum nesting of a reply. Clients cannot read replies that are nested more deeply. */
const DEPTH_MAX = 1000;

/** Pushes a command's reply, in the form of the given protocol. */
export function pushReply(machine: LuaMachine, state: number, reply: Reply, protocol: Protocol): void {
  const { lua } = machine;
  if (lua.lua_checkstack(state, DEPTH_SLOTS) === 0) machine.fail(state, "reached lua stack limit");
  switch (reply.kind) {
    case "integer":
      lua.lua_pushnumber(state, Number(reply.value));
      break;
    case "bulk":
      machine.push(state, reply.bytes);
      break;
    case "status":
      pushNamed(machine, state, "ok", reply.text);
      break;
    case "error":
      pushError(machine, state, reply.text);
      break;
    case "nil":
    case "nil-array":
      if (protocol === 3) lua.lua_pushnil(state);
      else lua.lua_pushboolean(state, 0);
      break;
    case "double":
      pushDouble(machine, state, reply, protocol);
      break;
    case "verbatim":
      if (protocol === 3) pushVerbatim(machine, state, reply);
      else machine.push(state, reply.bytes);
      break;
    case "resp3":
      if (protocol === 3) pushWritten(machine, state, reply);
      else pushReply(machine, state, reply.plain, 2);
      break;
    default:
      if (protocol === 3) pushTyped(machine, state, reply);
      else if ("inPairs" in reply) pushPairs(machine, state, reply.items, 2);
      else pushArray(machine, state, reply, 2);
  }
}

/** Pushes a table with one text field. */
export function pushNamed(machine: LuaMachine, state: number, name: string, text: ByteString): void {
  machine.lua.lua_createtable(state, 0, 1);
  machine.push(state, text);
  machine.setField(state, name);
}

/** Pushes an error, in the form in which redis.pcall returns it and redis.call raises it. */
export function pushError(machine: LuaMachine, state: number, text: ByteString): void {
  pushNamed(machine, state, "err", text);
  machine.lua.lua_pushboolean(state, 1);
  machine.setField(state, "ignore_error_stats_update");
}

function pushDouble(
  machine: LuaMachine,
  state: number,
  { value, text }: { readonly value: number; readonly text?: string },
  protocol: Protocol,
): void {
  if (protocol === 2) {
    machine.push(state, text ?? formatDouble(value));
    return;
  }

  machine.lua.lua_createtable(state, 0, 1);
  machine.lua.lua_pushnumber(state, value);
  machine.setField(state, "double");
}

function pushVerbatim(
  machine: LuaMachine,
  state: number,
  { format, bytes }: { readonly format: ByteString; readonly bytes: ByteString },
): void {
  machine.lua.lua_createtable(state, 0, 1);
  machine.lua.lua_createtable(state, 0, 2);
  machine.push(state, bytes);
  machine.setField(state, "string");
  machine.push(state, format);
  machine.setField(state, "format");
  machine.setField(state, "verbatim_string");
}

/**
 * Pushes a reply of a type that only RESP3 has. A boolean becomes a boolean in Lua; any other reply is pushed in its
 * RESP2 form.
 */
function pushWritten(
  machine: LuaMachine,
  state: number,
  reply: { readonly written: ByteString; readonly plain: Reply },
): void {
  if (reply.written === "#t\r\n" || reply.written === "#f\r\n")
    machine.lua.lua_pushboolean(state, reply.written === "#t\r\n" ? 1 : 0);
  else pushReply(machine, state, reply.plain, 3);
}

type ManyReply = Extract<Reply, { readonly items: readonly Reply[] }>;

/** Pushes an array or pairs as an array, and a map or set as a table with a field that is named after the type. */
function pushTyped(machine: LuaMachine, state: number, reply: ManyReply): void {
  const { lua } = machine;
  if (reply.kind === "array" || reply.kind === "pairs") {
    if (reply.kind === "array") pushArray(machine, state, reply, 3);
    else pushPairs(machine, state, reply.items, 3);
    return;
  }

  lua.lua_createtable(state, 0, 1);
  lua.lua_createtable(state, 0, reply.items.length);

  const { items } = reply;
  for (let i = 0; i < items.length; i++) {
    pushReply(machine, state, items[i] as Reply, 3);
    if (reply.kind === "map") pushReply(machine, state, items[++i] as Reply, 3);
    else lua.lua_pushboolean(state, 1);
    lua.lua_rawset(state, -3);
  }
  machine.setField(state, reply.kind);
}

function pushArray(machine: LuaMachine, state: number, reply: ManyReply, protocol: Protocol): void {
  const { lua } = machine;
  if (reply instanceof LazyBulkReply) {
    lua.lua_createtable(state, reply.values.length, 0);
    for (let i = 0; i < reply.values.length; i++) {
      machine.push(state, reply.values[i] as ByteString);
      lua.lua_rawseti(state, -2, i + 1);
    }
    return;
  }

  const { items } = reply;
  lua.lua_createtable(state, items.length, 0);
  for (let i = 0; i < items.length; i++) {
    pushReply(machine, state, items[i] as Reply, protocol);
    lua.lua_rawseti(state, -2, i + 1);
  }
}

function pushPairs(machine: LuaMachine, state: number, items: readonly Reply[], protocol: Protocol): void {
  const { lua } = machine;
  lua.lua_createtable(state, items.length / 2, 0);
  for (let i = 0; i < items.length; i += 2) {
    pushArray(machine, state, { kind: "array", items: items.slice(i, i + 2) }, protocol);
    lua.lua_rawseti(state, -2, i / 2 + 1);
  }
}

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
