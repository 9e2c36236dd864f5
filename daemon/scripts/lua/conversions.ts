/** Replies as values of Lua, and values of Lua as replies. Source: redis-server 7.0, script_lua.c. */
import type { ByteString } from "../../../protocol/byte-string.js";
import { ManyBulks } from "../../../protocol/many-bulks.js";
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
} from "../../../protocol/reply.js";
import { formatDouble } from "../../../protocol/resp/double.js";
import { integerOf } from "./c-numbers.js";
import { TYPE } from "./lua-exports.js";
import type { LuaMachine } from "./lua-machine.js";

export type Protocol = 2 | 3;

/** Values that Lua's stack takes besides those that are there. */
const DEPTH_SLOTS = 6;
/** Deeper answers no client reads. */
const DEPTH_MOST = 1000;

/** Pushes what a command answered. */
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

/** A table with one text. */
function pushNamed(machine: LuaMachine, state: number, name: string, text: ByteString): void {
  machine.lua.lua_createtable(state, 0, 1);
  machine.push(state, text);
  machine.setField(state, name);
}

/** As redis.pcall answers it, and redis.call raises it. */
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

/** Of what only RESP3 can say a command answers a boolean. */
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

/** As RESP3 tells what they are. */
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
  if (reply instanceof ManyBulks) {
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

/** What a script answers. @param protocol  that the script has chosen */
export function replyOf(
  machine: LuaMachine,
  state: number,
  index: number,
  protocol: Protocol,
  depth = 0,
): Reply {
  const { lua } = machine;
  if (depth > DEPTH_MOST || lua.lua_checkstack(state, DEPTH_SLOTS) === 0)
    return error("ERR reached lua stack limit");
  switch (lua.lua_type(state, index)) {
    case TYPE.string:
      return bulk(machine.text(state, index));
    case TYPE.number:
      return wholeNumber(lua.lua_tonumber(state, index));
    case TYPE.boolean:
      return booleanReply(lua.lua_toboolean(state, index) === 1, protocol);
    case TYPE.table:
      return tableReply(
        machine,
        state,
        index < 0 ? lua.lua_gettop(state) + index + 1 : index,
        protocol,
        depth,
      );
    default:
      return NIL;
  }
}

function wholeNumber(value: number): Reply {
  return integer(Number.isSafeInteger(Math.trunc(value)) ? Math.trunc(value) + 0 : integerOf(value));
}

function booleanReply(value: boolean, protocol: Protocol): Reply {
  if (protocol === 2) return value ? integer(1) : NIL;
  return { kind: "resp3", written: value ? "#t\r\n" : "#f\r\n", plain: integer(value ? 1 : 0) };
}

function tableReply(
  machine: LuaMachine,
  state: number,
  index: number,
  protocol: Protocol,
  depth: number,
): Reply {
  const { lua } = machine;
  const top = lua.lua_gettop(state);
  const field = (name: string): number => {
    lua.lua_settop(state, top);
    machine.pushName(state, name);
    lua.lua_rawget(state, index);
    return lua.lua_type(state, -1);
  };
  const line = () => oneLine(machine.text(state, -1));
  try {
    if (hasElementsAlone(machine, state, index))
      return array(elements(machine, state, index, protocol, depth));
    if (field("err") === TYPE.string) return error(line());
    if (field("ok") === TYPE.string) return status(line());
    if (field("double") === TYPE.number) return double(lua.lua_tonumber(state, -1));
    if (field("map") === TYPE.table) return map(fieldReplies(machine, state, true, protocol, depth));
    if (field("set") === TYPE.table) return set(fieldReplies(machine, state, false, protocol, depth));
    if (field("big_number") === TYPE.string) {
      const digits = line();
      return { kind: "resp3", written: `(${digits}\r\n`, plain: bulk(digits) };
    }
    if (field("verbatim_string") === TYPE.table) {
      const found = verbatimReply(machine, state);
      if (found !== null) return found;
    }
    return array(elements(machine, state, index, protocol, depth));
  } finally {
    lua.lua_settop(state, top);
  }
}

/** A text as Redis tells it that takes it for one of C, and has to tell it in a line. */
export function oneLine(text: ByteString): ByteString {
  const end = text.indexOf("\0");
  return (end < 0 ? text : text.slice(0, end)).replace(/[\r\n]/g, " ");
}

/** Whether there is nothing behind a table's elements: most have no fields, and looking for each costs more than finding that out. */
function hasElementsAlone({ lua }: LuaMachine, state: number, index: number): boolean {
  const length = lua.lua_objlen(state, index);
  if (length === 0) return false;
  lua.lua_pushnumber(state, length);
  if (lua.lua_next(state, index) === 0) return true;
  lua.lua_settop(state, -3);
  return false;
}

function elements(
  machine: LuaMachine,
  state: number,
  index: number,
  protocol: Protocol,
  depth: number,
): Reply[] {
  const { lua } = machine;
  const found: Reply[] = [];
  for (let i = 1; ; i++) {
    lua.lua_rawgeti(state, index, i);
    if (lua.lua_type(state, -1) === TYPE.nil) {
      lua.lua_settop(state, -2);
      return found;
    }
    found.push(replyOf(machine, state, -1, protocol, depth + 1));
    lua.lua_settop(state, -2);
  }
}

/** Of the table on top: keys, and values if asked for. */
function fieldReplies(
  machine: LuaMachine,
  state: number,
  withValues: boolean,
  protocol: Protocol,
  depth: number,
): Reply[] {
  const { lua } = machine;
  const index = lua.lua_gettop(state);
  const found: Reply[] = [];
  lua.lua_pushnil(state);
  while (lua.lua_next(state, index) !== 0) {
    // Made a text, a number among the keys would not be found again.
    lua.lua_pushvalue(state, -2);
    found.push(replyOf(machine, state, -1, protocol, depth + 1));
    lua.lua_settop(state, -2);
    if (withValues) found.push(replyOf(machine, state, -1, protocol, depth + 1));
    lua.lua_settop(state, -2);
  }
  return found;
}

function verbatimReply(machine: LuaMachine, state: number): Reply | null {
  const { lua } = machine;
  machine.push(state, "format");
  lua.lua_rawget(state, -2);
  machine.push(state, "string");
  lua.lua_rawget(state, -3);
  if (lua.lua_type(state, -2) !== TYPE.string || lua.lua_type(state, -1) !== TYPE.string) return null;
  const bytes = machine.text(state, -1);
  const format = machine.text(state, -2).slice(0, 3).padEnd(3);
  return { kind: "resp3", written: `=${bytes.length + 4}\r\n${format}:${bytes}\r\n`, plain: bulk(bytes) };
}
