/**
 * The timeouts and the rules of commands that wait for elements of lists and sorted sets. Behaviour and error texts
 * are those of Redis 7; test/conformance checks them.
 */

import type { ByteString } from "../../../protocol/byte-string.js";
import { custom } from "../arguments/command-errors.js";
import { indexArgument, parseInteger } from "../arguments/number-arguments.js";
import { timesThousand } from "../arithmetic/long-double.js";
import type { AwaitedType, WaitRule } from "../rows/command-row.js";

/** The usual form of seconds, which needs no emulation of C's arithmetic. */
const PLAIN_SECONDS = /^\d{1,9}$/;

/**
 * Returns the timeout in milliseconds; 0 means no limit. The store never waits; it only checks the argument. A listener
 * calls this function too, and waits.
 * @throws CommandFailure
 */
export function timeoutArgument(bytes: ByteString): number {
  if (PLAIN_SECONDS.test(bytes)) return Number(bytes) * 1000;
  const milliseconds = timesThousand(bytes);
  if (milliseconds === "not-a-float") throw custom("ERR timeout is not a float or out of range");
  // Numbers that do not fit in 64 bits are negative in Redis.
  if (milliseconds === "infinite" || milliseconds < 0n || milliseconds >= 2n ** 63n)
    throw custom("ERR timeout is negative");
  return Number(milliseconds);
}

/** Parses the arguments of WAIT: the number of replicas and milliseconds. @throws CommandFailure */
export function waitArguments(argv: readonly ByteString[]): { replicas: number; milliseconds: number } {
  const replicas = indexArgument(argv[1]!);
  const milliseconds = parseInteger(argv[2]!);
  if (milliseconds === undefined) throw custom("ERR timeout is not an integer or out of range");
  if (milliseconds < 0) throw custom("ERR timeout is negative");
  return { replicas, milliseconds: Number(milliseconds) };
}

/** `NAME key [key …] timeout` */
export const waitsForSeveral = (type: AwaitedType): WaitRule => ({
  isOptional: false,
  shapeOf: (argv) => ({
    type,
    keys: argv.slice(1, -1),
    milliseconds: timeoutArgument(argv.at(-1)!),
    elementsMax: 1,
    argvFor: (key) => [argv[0]!, key, "0"],
  }),
});

/** `NAME timeout numkeys key [key …] option …` */
export const waitsForCounted = (type: AwaitedType): WaitRule => ({
  isOptional: false,
  shapeOf: (argv) => {
    const end = 3 + Number(argv[2]);
    const milliseconds = timeoutArgument(argv[1]!);
    const argvFor = (key: string) => [argv[0]!, "0", "1", key, ...argv.slice(end)];
    // Only COUNT and its value follow the end of the list.
    const elementsMax = Number(argv[end + 2] ?? 1);
    return { type, keys: argv.slice(3, end), milliseconds, elementsMax, argvFor };
  },
});

/** A move from one list to another. */
export const waitsForSource = (timeoutAt: number): WaitRule => ({
  isOptional: false,
  shapeOf: (argv) => ({
    type: "list",
    keys: [argv[1]!],
    milliseconds: timeoutArgument(argv[timeoutAt]!),
    elementsMax: 1,
    argvFor: () => argv,
  }),
});
