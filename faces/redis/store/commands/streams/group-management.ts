/** XGROUP. Behaviour and error texts are those of Redis 7; test/conformance checks them. */

import { type CommandFailure, custom, echoed } from "../../../../../daemon/store/arguments/command-errors.js";
import { integerArgument } from "../../../../../daemon/store/arguments/number-arguments.js";
import type { Data } from "../../../../../daemon/store/keyspace/mutators.js";
import type { ByteString } from "../../../../../protocol/byte-string.js";
import { array, integer, OK, ONE, type Reply, status, ZERO } from "../../../../../protocol/reply.js";
import {
  addConsumer,
  createGroup,
  destroyGroup,
  markGroup,
  removeConsumer,
  setSkipped,
} from "../../keyspace/group-mutators.js";
import { Stream } from "../../values/streams/stream.js";
import { type GroupOfStream, noGroup } from "./group-arguments.js";
import { edgeArgument, idArgument } from "./stream-arguments.js";

const noStream = () =>
  custom(
    "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM option to create an empty stream automatically.",
  );

/** Maximum number of arguments of CREATE. */
const CREATE_ARGUMENTS_MAX = 8;
/** Maximum number of arguments of SETID. */
const SETID_ARGUMENTS_MAX = 7;

export function create(data: Data, argv: readonly ByteString[]): Reply {
  const { mkstream, entriesRead } = groupOptions(argv, true);
  const existing = data.getAs(Stream, argv[2]!)?.value;
  if (existing === undefined && !mkstream) throw noStream();
  if (argv.length > CREATE_ARGUMENTS_MAX) throw badArguments(argv);
  const name = argv[3]!;
  const lastId = argv[4] === "$" ? (existing?.marks.lastId ?? 0n) : idArgument(argv[4]!);
  if (existing?.group(name) !== undefined) throw custom("BUSYGROUP Consumer Group name already exists");
  const stream = existing ?? data.getOrPut(Stream, argv[2]!).value;
  createGroup(data, stream, name, { lastId, entriesRead });
  return OK;
}

/** Whether a call of XGROUP CREATE creates the stream if it is absent. */
export const createsStream = (argv: readonly ByteString[]): boolean =>
  argv.slice(5).some((word) => word.toUpperCase() === "MKSTREAM");

export function setId(data: Data, argv: readonly ByteString[]): Reply {
  const { entriesRead } = groupOptions(argv, false);
  const { stream, group } = groupOf(data, argv);
  if (argv.length > SETID_ARGUMENTS_MAX) throw badArguments(argv);
  const lastId = argv[4] === "$" ? stream.marks.lastId : edgeArgument(argv[4]!);
  markGroup(data, group, { lastId, entriesRead });
  setSkipped(
    data,
    group,
    [...group.skipped].map(([from]) => [from, undefined]),
  );
  return OK;
}

export function destroy(data: Data, argv: readonly ByteString[]): Reply {
  const stream = streamOf(data, argv);
  if (stream.group(argv[3]!) === undefined) return ZERO;
  destroyGroup(data, stream, argv[3]!);
  return ONE;
}

export function createConsumer(data: Data, argv: readonly ByteString[]): Reply {
  const { group } = groupOf(data, argv);
  if (group.consumer(argv[4]!) !== undefined) return ZERO;
  addConsumer(data, group, argv[4]!);
  return ONE;
}

/** Removes a consumer with its pending entries, and returns the number of these entries. */
export function deleteConsumer(data: Data, argv: readonly ByteString[]): Reply {
  const { group } = groupOf(data, argv);
  const consumer = group.consumer(argv[4]!);
  if (consumer === undefined) return ZERO;
  const { size } = consumer.pending;
  removeConsumer(data, group, consumer);
  return integer(size);
}

interface GroupOptions {
  readonly mkstream: boolean;
  readonly entriesRead: bigint | null;
}

/** @param creates whether the command is CREATE, which has MKSTREAM */
function groupOptions(argv: readonly ByteString[], creates: boolean): GroupOptions {
  let mkstream = false;
  let entriesRead: bigint | null = null;
  for (let i = 5; i < argv.length; i++) {
    const word = argv[i]!.toUpperCase();
    if (creates && word === "MKSTREAM") mkstream = true;
    else if (word === "ENTRIESREAD" && i + 1 < argv.length) {
      const value = BigInt(integerArgument(argv[++i]!));
      if (value < -1n) throw custom("ERR value for ENTRIESREAD must be positive or -1");
      entriesRead = value === -1n ? null : value;
    } else throw badArguments(argv);
  }
  return { mkstream, entriesRead };
}

const badArguments = ([, subcommand]: readonly ByteString[]): CommandFailure =>
  custom(
    `ERR unknown subcommand or wrong number of arguments for '${echoed(subcommand!)}'. Try XGROUP HELP.`,
  );

function streamOf(data: Data, argv: readonly ByteString[]): Stream {
  const stream = data.getAs(Stream, argv[2]!)?.value;
  if (stream === undefined) throw noStream();
  return stream;
}

function groupOf(data: Data, argv: readonly ByteString[]): GroupOfStream {
  const stream = streamOf(data, argv);
  const group = stream.group(argv[3]!);
  if (group === undefined) throw noGroup(argv[2]!, argv[3]!);
  return { stream, group };
}

const HELP = [
  "XGROUP <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
  "CREATE <key> <group> <id|$> [MKSTREAM] [ENTRIESREAD <number>]",
  "    Creates a group that reads the entries after the id; with MKSTREAM, also creates the stream.",
  "CREATECONSUMER <key> <group> <consumer>",
  "    Creates a consumer, as reading does.",
  "DELCONSUMER <key> <group> <consumer>",
  "    Removes a consumer and its pending entries.",
  "DESTROY <key> <group>",
  "    Removes a group.",
  "SETID <key> <group> <id|$> [ENTRIESREAD <number>]",
  "    Sets the id after which a group continues.",
  "HELP",
  "    Prints this help.",
];

export const xgroupHelp = (): Reply => array(HELP.map(status));
