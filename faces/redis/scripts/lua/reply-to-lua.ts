/** Converts replies to Lua values. Source: redis-server 7.0, script_lua.c. */
import type { ByteString } from "../../../../protocol/byte-string.js";
import { LazyBulkReply } from "../../../../protocol/lazy-replies.js";
import type { Reply } from "../../../../protocol/reply.js";
import { formatDouble } from "../../../../protocol/resp/double-text.js";
import type { LuaMachine } from "./lua-machine.js";

export type Protocol = 2 | 3;

/** The number of slots that one level of a reply needs on Lua's stack. */
export const DEPTH_SLOTS = 6;
/** Maximum nesting of a reply. Clients cannot read replies that are nested more deeply. */
export const DEPTH_MAX = 1000;

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
