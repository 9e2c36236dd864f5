/**
 * Checks, from data in memory alone, whether a key has elements for a waiting client (BLPOP, XREADGROUP, …), and how
 * many.
 */
import type { CommandSender, LocalData } from "../../../daemon/engine/backends/command-path.js";
import { findCommand } from "../../../daemon/store/command-table.js";
import type { Command } from "../../../daemon/store/rows/command-row.js";
import type { ByteString } from "../../../protocol/byte-string.js";
import { bulk, type ErrorReply, error, type Reply } from "../../../protocol/reply.js";
import { XREADGROUP_PREVIEW, XREADGROUP_SIZE } from "../store/commands/streams/group-reads.js";
import type { Awaited } from "./serving-turns.js";
import type { WaitRequest } from "./waiting-client.js";

const commandNamed = (name: string): Command => findCommand(name) as Command;
const TYPE = commandNamed("TYPE");
const XINFO_STREAM = commandNamed("XINFO|STREAM");
/** The commands that return the sizes of values; null: no command, as the size depends on the client's id or group. */
export const SIZE_OF = {
  list: commandNamed("LLEN"),
  zset: commandNamed("ZCARD"),
  stream: null,
  group: null,
} as const;
/** The errors for clients that wait for a group, if the stream or the group was removed. */
const NO_STREAM = error("UNBLOCKED the stream key no longer exists");
const NO_GROUP = error("NOGROUP the consumer group this client was blocked on no longer exists");

/**
 * Whether a key has data for a waiting client, or an error if the client's group or its stream was removed.
 * @param argv  the command that would run
 */
export function readinessOf(
  { shape: { type }, localData }: WaitRequest,
  key: ByteString,
  argv: readonly ByteString[],
  sender: CommandSender,
): boolean | ErrorReply {
  if (type === "group") {
    const readiness = readFromMemory(localData, XREADGROUP_PREVIEW, argv, sender);
    if (readiness?.kind !== "error") return readiness !== null && !isNil(readiness);
    const found = readFromMemory(localData, TYPE, ["TYPE", key], sender);
    return found?.kind === "status" && found.text === "stream" ? NO_GROUP : NO_STREAM;
  }

  const found = readFromMemory(localData, TYPE, ["TYPE", key], sender);
  if (found?.kind !== "status" || found.text !== type) return false;

  const size = SIZE_OF[type];
  // Whether a stream has entries for the client depends on the client's last id: run the command.
  if (size === null) return true;

  const elements = readFromMemory(localData, size, [size.name, key], sender);
  return elements?.kind === "integer" && elements.value > 0;
}

/**
 * Returns the number of elements of a key, or of entries that a group has not delivered (at most COUNTED_MAX,
 * group-reads.ts).
 */
export function sizeOf(localData: LocalData, { type, key, argv }: Awaited, sender: CommandSender): number {
  const command = SIZE_OF[type];
  const reply =
    command === null
      ? readFromMemory(localData, XREADGROUP_SIZE, argv, sender)
      : readFromMemory(localData, command, [command.name, key], sender);
  return reply?.kind === "integer" ? Number(reply.value) : 0;
}

/** Runs a read from memory. @returns the reply, or null if it is not available immediately */
export function readFromMemory(
  localData: LocalData,
  command: Command,
  argv: readonly ByteString[],
  sender: CommandSender,
): Reply | null {
  const reply = localData.inspect(command, argv, sender);
  return reply instanceof Promise ? null : reply;
}

/** Returns the last id of a stream; `0-0` if there is no stream, or if its data is not in memory. */
export function lastId(localData: LocalData, key: ByteString, sender: CommandSender): ByteString {
  const info = localData.inspect(XINFO_STREAM, ["XINFO", "STREAM", key], sender);
  if (info instanceof Promise || info.kind !== "map") return "0-0";
  const at = info.items.findIndex((item) => item.kind === "bulk" && item.bytes === "last-generated-id");
  const id = info.items[at + 1] ?? bulk("0-0");
  return id.kind === "bulk" ? id.bytes : "0-0";
}

/** Whether a reply is nil. */
export function isNil({ kind }: Reply): boolean {
  return kind === "nil" || kind === "nil-array";
}
