/**
 * DUMP and RESTORE: values in Redis's own serialized form. Behaviour and error texts are those of Redis 7;
 * test/conformance checks them.
 */

import { custom, syntaxError } from "../../../../daemon/store/arguments/command-errors.js";
import { integerArgument } from "../../../../daemon/store/arguments/number-arguments.js";
import { restoreEvents } from "../../../../daemon/store/events/event-rules.js";
import { BYTES_PER_STEP } from "../../../../daemon/store/keyspace/effort-budget.js";
import { NO_EXPIRY } from "../../../../daemon/store/keyspace/keyspace.js";
import type { Data } from "../../../../daemon/store/keyspace/mutators.js";
import type { Unit } from "../../../../daemon/store/keyspace/unit.js";
import { family } from "../../../../daemon/store/rows/command-row.js";
import { read, write } from "../../../../daemon/store/rows/key-spec.js";
import { typeName } from "../../../../daemon/store/values/value.js";
import type { ByteString } from "../../../../protocol/byte-string.js";
import { bulk, NIL, OK, type Reply } from "../../../../protocol/reply.js";
import { dumpPayload, valueOfPayload } from "../rdb/dump-payload.js";

export const dumps = family("keyspace", {
  DUMP: {
    arity: 2,
    flags: ["readonly"],
    keys: [read(1)],
    since: "2.6.0",
    complexity: "O(N), N: elements of the value",
    summary: "Returns a key's value in a serialized form, which RESTORE accepts, also on another server.",
    tips: ["nondeterministic_output"],
    run: dump,
  },
  RESTORE: {
    arity: -4,
    flags: ["write", "denyoom"],
    keys: [write(1)],
    since: "2.6.0",
    complexity: "O(N), N: elements of the value; sorted sets O(N*log(N))",
    categories: ["dangerous"],
    summary: "Sets a key to a value that DUMP has serialized, here or in Redis up to 7.0.",
    events: restoreEvents,
    run: restore,
  },
});

const FREQUENCY_MAX = 255;

/** Cost in steps of each element that DUMP writes. */
const DUMPED_STEPS = 6;
/** Cost in steps of each stream entry that DUMP writes. */
const DUMPED_ENTRY_STEPS = 60;
/** Cost in steps of writing `BYTES_PER_STEP` bytes and adding them to the checksum. */
const DUMPED_BYTES_STEPS = 6;

function dump(data: Data, argv: readonly ByteString[]): Reply {
  const entry = data.get(argv[1]!);
  if (entry === undefined) return NIL;
  const { value } = entry;
  if (typeof value !== "string")
    data.effort.work((typeName(value) === "stream" ? DUMPED_ENTRY_STEPS : DUMPED_STEPS) * value.size);
  return bulk(dumpPayload(value, (bytes) => data.effort.work((DUMPED_BYTES_STEPS * bytes) / BYTES_PER_STEP)));
}

interface RestoreOptions {
  readonly replace: boolean;
  readonly absolute: boolean;
  /** Seconds since the last use of the key. */
  readonly idle: number;
}

function restore(data: Data, argv: readonly ByteString[], unit: Unit): Reply {
  const [, key, time, payload] = argv as [string, ByteString, ByteString, ByteString];
  const { replace, absolute, idle } = restoreOptions(argv);
  const old = data.get(key);
  if (old !== undefined && !replace) throw custom("BUSYKEY Target key name already exists.");

  const ttl = BigInt(integerArgument(time));
  if (ttl < 0n) throw custom("ERR Invalid TTL value, must be >= 0");
  const value = valueOfPayload(payload, (elements, bytes) => data.effort.produce(elements, bytes));
  // A time that is too large counts as past, as in Redis, which adds in 64 bits.
  const expire = Number(absolute ? ttl : BigInt.asIntN(64, ttl + BigInt(unit.at)));
  if (ttl === 0n || expire > unit.at) {
    const entry = data.put(key, value, ttl === 0n ? NO_EXPIRY : expire);
    if (idle > 0) data.usage.setIdle(entry, idle, unit.at);
  } else if (old !== undefined) data.delete(key);

  return OK;
}

/**
 * Parses the options of RESTORE. FREQ has no effect.
 * @throws CommandFailure
 */
function restoreOptions(argv: readonly ByteString[]): RestoreOptions {
  let replace = false;
  let absolute = false;
  let idle = 0;
  let usage: "IDLETIME" | "FREQ" | undefined;
  for (let i = 4; i < argv.length; i++) {
    const option = argv[i]!.toUpperCase();
    if (option === "REPLACE") replace = true;
    else if (option === "ABSTTL") absolute = true;
    else if (
      (option === "IDLETIME" || option === "FREQ") &&
      i + 1 < argv.length &&
      (usage ?? option) === option
    ) {
      usage = option;
      const value = integerArgument(argv[++i]!);
      if (option === "IDLETIME" && value < 0) throw custom("ERR Invalid IDLETIME value, must be >= 0");
      if (option === "IDLETIME") idle = Number(value);
      if (option === "FREQ" && (value < 0 || value > FREQUENCY_MAX))
        throw custom("ERR Invalid FREQ value, must be >= 0 and <= 255");
    } else throw syntaxError();
  }

  return { replace, absolute, idle };
}
