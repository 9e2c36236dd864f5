/** The arguments of the commands on consumer groups: a stream, and one of its groups. Texts: redis-server 7.0. */
import type { ByteString } from "../../../protocol/byte-string.js";
import { custom, echoed } from "../../arguments/errors.js";
import { parseInteger } from "../../arguments/numbers.js";
import type { Data } from "../../keyspace/mutators.js";
import type { ConsumerGroup } from "../../values/streams/consumer-group.js";
import { Stream } from "../../values/streams/stream.js";

export interface GroupOfStream {
  readonly stream: Stream;
  readonly group: ConsumerGroup;
}

/** undefined: there is no such stream, or it has no such group. @throws CommandFailure WRONGTYPE */
export function groupIfAny(data: Data, key: ByteString, name: ByteString): GroupOfStream | undefined {
  const stream = data.getAs(Stream, key)?.value;
  const group = stream?.group(name);
  return stream === undefined || group === undefined ? undefined : { stream, group };
}

/** @param behind  the end of the error's text @throws CommandFailure */
export function groupArgument(data: Data, key: ByteString, name: ByteString, behind = ""): GroupOfStream {
  const found = groupIfAny(data, key, name);
  if (found === undefined)
    throw custom(`NOGROUP No such key '${whole(key)}' or consumer group '${whole(name)}'${behind}`);
  return found;
}

/** NOGROUP, in the wording of commands that check the group after the key. */
export const noGroup = (key: ByteString, name: ByteString) =>
  custom(`NOGROUP No such consumer group '${whole(name)}' for key name '${whole(key)}'`);

/** Returns an argument as C prints it, of any length. */
const whole = (bytes: ByteString) => echoed(bytes, Number.POSITIVE_INFINITY);

/** Milliseconds for which an entry must not have been handed out. @throws CommandFailure */
export function minIdleArgument(bytes: ByteString, command: string): number {
  const value = parseInteger(bytes);
  if (value === undefined) throw custom(`ERR Invalid min-idle-time argument for ${command}`);
  return Math.max(0, Number(value));
}
