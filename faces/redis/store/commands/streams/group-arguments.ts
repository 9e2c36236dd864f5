/**
 * Parses the arguments of the commands on consumer groups: a stream, and one of its groups. The error texts are those
 * of redis-server 7.0.
 */

import { custom, echoed } from "../../../../../daemon/store/arguments/command-errors.js";
import { parseInteger } from "../../../../../daemon/store/arguments/number-arguments.js";
import type { Data } from "../../../../../daemon/store/keyspace/mutators.js";
import type { ByteString } from "../../../../../protocol/byte-string.js";
import type { ConsumerGroup } from "../../values/streams/consumer-group.js";
import { Stream } from "../../values/streams/stream.js";

export interface GroupOfStream {
  readonly stream: Stream;
  readonly group: ConsumerGroup;
}

/** Returns a group, or undefined if the stream does not exist or has no such group. @throws CommandFailure WRONGTYPE */
export function groupIfAny(data: Data, key: ByteString, name: ByteString): GroupOfStream | undefined {
  const stream = data.getAs(Stream, key)?.value;
  const group = stream?.group(name);
  return stream === undefined || group === undefined ? undefined : { stream, group };
}

/** @param suffix the end of the error's text @throws CommandFailure */
export function groupArgument(data: Data, key: ByteString, name: ByteString, suffix = ""): GroupOfStream {
  const stream = groupIfAny(data, key, name);
  if (stream === undefined)
    throw custom(
      `NOGROUP No such key '${unlimitedEcho(key)}' or consumer group '${unlimitedEcho(name)}'${suffix}`,
    );
  return stream;
}

/** NOGROUP, in the wording of commands that check the group after the key. */
export const noGroup = (key: ByteString, name: ByteString) =>
  custom(`NOGROUP No such consumer group '${unlimitedEcho(name)}' for key name '${unlimitedEcho(key)}'`);

/** Returns an argument as C prints it, of any length. */
const unlimitedEcho = (bytes: ByteString) => echoed(bytes, Number.POSITIVE_INFINITY);

/** Parses the minimum time since the last delivery of an entry, in milliseconds. @throws CommandFailure */
export function minIdleArgument(bytes: ByteString, command: string): number {
  const value = parseInteger(bytes);
  if (value === undefined) throw custom(`ERR Invalid min-idle-time argument for ${command}`);
  return Math.max(0, Number(value));
}
