/** The rules of waiting for the elements of lists and sorted sets. */
import type { AwaitedType, WaitRule } from "../rows/wait-rule.js";
import { timeoutArgument } from "./timeout-arguments.js";

/** `NAME key [key …] timeout` */
export const waitsForSeveral = (type: AwaitedType): WaitRule => ({
  isOptional: false,
  shapeOf: (argv) => ({
    type,
    keys: argv.slice(1, -1),
    milliseconds: timeoutArgument(argv.at(-1)!),
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
    return { type, keys: argv.slice(3, end), milliseconds, argvFor };
  },
});

/** A move from one list to another. */
export const waitsForSource = (timeoutAt: number): WaitRule => ({
  isOptional: false,
  shapeOf: (argv) => ({
    type: "list",
    keys: [argv[1]!],
    milliseconds: timeoutArgument(argv[timeoutAt]!),
    argvFor: () => argv,
  }),
});
