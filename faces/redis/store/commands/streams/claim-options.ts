/**
 * The arguments of XCLAIM after the minimum idle time: ids, then options. Behaviour and error texts are those of Redis
 * 7; test/conformance checks them.
 */

import { custom, echoed } from "../../../../../daemon/store/arguments/command-errors.js";
import { parseInteger } from "../../../../../daemon/store/arguments/number-arguments.js";
import type { ByteString } from "../../../../../protocol/byte-string.js";
import { DELIVERIES_MAX } from "../../values/streams/consumer-group.js";
import type { StreamId } from "../../values/streams/stream-id.js";
import { idArgument, idIfAny } from "./stream-arguments.js";

export interface ClaimOptions {
  readonly ids: readonly StreamId[];
  /** Whether to claim even entries that are not pending for any consumer. */
  readonly force: boolean;
  /** Whether only ids are returned, and the claim does not count as a delivery. */
  readonly justId: boolean;
  /** The time of the delivery, in milliseconds since 1970. */
  readonly deliveredAt: number;
  /** The number of deliveries; null means one more than before. */
  readonly deliveries: number | null;
  /** The group's new last id; 0 if none was specified. */
  readonly lastId: StreamId;
}

/** @param at the unit's date @throws CommandFailure */
export function claimOptions(argv: readonly ByteString[], at: number): ClaimOptions {
  const ids: StreamId[] = [];
  let next = 5;
  for (; next < argv.length; next++) {
    const id = idIfAny(argv[next]!);
    if (id === undefined) break;
    ids.push(id);
  }
  const reader = new OptionReader(argv, next);
  reader.read(at);
  const { force, justId, lastId } = reader;
  // A negative time, or a time after the unit's date, means the unit's date.
  const isValidTime = reader.deliveredAt >= 0 && reader.deliveredAt <= at;
  return {
    ids,
    force,
    justId,
    lastId,
    deliveredAt: isValidTime ? reader.deliveredAt : at,
    deliveries: reader.deliveries < 0 ? null : Math.min(reader.deliveries, DELIVERIES_MAX),
  };
}

class OptionReader {
  force = false;
  justId = false;
  lastId: StreamId = 0n;
  deliveredAt = -1;
  deliveries = -1;
  readonly #argv: readonly ByteString[];
  #index: number;

  constructor(argv: readonly ByteString[], index: number) {
    this.#argv = argv;
    this.#index = index;
  }

  read(at: number): void {
    while (this.#index < this.#argv.length) {
      const argument = this.#argv[this.#index++]!;
      const word = argument.toUpperCase();
      const hasMore = this.#index < this.#argv.length;
      if (word === "FORCE") this.force = true;
      else if (word === "JUSTID") this.justId = true;
      else if (word === "IDLE" && hasMore) this.deliveredAt = at - this.#number(word);
      else if (word === "TIME" && hasMore) this.deliveredAt = this.#number(word);
      else if (word === "RETRYCOUNT" && hasMore) this.deliveries = this.#number(word);
      else if (word === "LASTID" && hasMore) this.lastId = idArgument(this.#next());
      else throw custom(`ERR Unrecognized XCLAIM option '${echoed(argument, Number.POSITIVE_INFINITY)}'`);
    }
  }

  #number(option: string): number {
    const value = parseInteger(this.#next());
    if (value === undefined) throw custom(`ERR Invalid ${option} option argument for XCLAIM`);
    return Number(value);
  }

  #next(): ByteString {
    return this.#argv[this.#index++]!;
  }
}
