/**
 * Commands that write only if a key is absent or present. If the members have decided on such a command, its condition
 * is not evaluated again: the fold runs the command without it, or not at all. Clients request a decision on such a
 * command. Source: docs/protocol-v2.md "Decisions".
 */
import type { ByteString } from "./byte-string.js";
import { NIL, ONE, type Reply, ZERO } from "./reply.js";

type Argv = readonly ByteString[];

export interface ImplicitCondition {
  /** The command whose reply is `expected`, 0 or 1, if the condition holds. */
  readonly check: Argv;
  readonly expected: 0 | 1;
  /** The same command without the condition. */
  readonly unconditional: Argv;
  /** The replies if the condition holds, or null for that of `unconditional`, and if it does not. */
  readonly applied: Reply | null;
  readonly unmet: Reply;
}

/** A pattern of the names of the commands that may have such a condition. */
export const CONDITIONAL_NAME = /^(SET|[HM]?SETNX)$/i;

/**
 * A pattern of the names of commands that may share an envelope on whose units the members decide. Their cost follows
 * from their arguments, so that members can evaluate many of them in one step, and they make no random choices. The
 * list is the same for all releases, because each of them must accept what earlier ones have decided.
 */
export const SHARING_NAME =
  /^(APPEND|(IN|DE)CR(BY)?|DEL|GETDEL|GETSET|H(DEL|INCRBY|MSET|SET)|[LR]PUSHX?|MSET|P?(EXPIRE|SETEX)|PERSIST|S(ADD|MOVE|REM)|SET|[HM]?SETNX|UNLINK|Z(ADD|INCRBY|REM))$/i;

/** Whether a command with such a name has a condition, and answers only whether the condition holds. */
export const hasImplicitCondition = (argv: Argv): boolean =>
  (argv[0] as ByteString).length > 3 || requiresAbsence(argv) !== null;

/** Whether an envelope is one unit that takes effect only under a condition. */
export function isOneConditional({
  if: conditions,
  multi,
  commands,
}: {
  readonly if: readonly unknown[] | null;
  readonly multi: boolean;
  readonly commands: readonly Argv[];
}): boolean {
  if (conditions !== null) return true;
  if (multi || commands.length > 1) return false;
  const argv = commands[0] as Argv;
  // This comes first, because most commands are shorter.
  if (argv.length <= SET_LENGTH && argv[0]?.length === SET_LENGTH) return false;
  return CONDITIONAL_NAME.test(argv[0] as ByteString) && hasImplicitCondition(argv);
}

/** The letters of SET, and the words of a SET without options. */
const SET_LENGTH = 3;

/** Returns whether a SET requires that its key is absent, or null if it has no condition that can be decided. */
function requiresAbsence(argv: Argv): boolean | null {
  const options = argv.slice(3).map(upperCase);
  const isAbsent = options.includes("NX");
  // With both options it is an error, and with GET it also answers the value.
  return options.includes("GET") || isAbsent === options.includes("XX") ? null : isAbsent;
}

/** Returns the condition of a command, or null if it has none, or answers more than whether the condition holds. */
export function implicitCondition(argv: Argv): ImplicitCondition | null {
  const [name = "", key = "", field = ""] = argv;
  const counted = { expected: 0, applied: ONE, unmet: ZERO } as const;

  switch (upperCase(name)) {
    case "SETNX":
      return { check: ["EXISTS", key], unconditional: ["SET", ...argv.slice(1)], ...counted };
    case "HSETNX":
      return { check: ["HEXISTS", key, field], unconditional: ["HSET", ...argv.slice(1)], ...counted };
    case "MSETNX": {
      const keys = argv.filter((_, index) => index % 2 === 1);
      return { check: ["EXISTS", ...keys], unconditional: ["MSET", ...argv.slice(1)], ...counted };
    }
    case "SET":
      return conditionOfSet(argv);
    default:
      return null;
  }
}

function conditionOfSet(argv: Argv): ImplicitCondition | null {
  const isAbsent = requiresAbsence(argv);
  if (isAbsent === null) return null;
  const unconditional = argv.filter((option, index) => index < 3 || !isCondition(upperCase(option)));
  const check = ["EXISTS", argv[1] ?? ""];
  return { check, expected: isAbsent ? 0 : 1, unconditional, applied: null, unmet: NIL };
}

/** Returns a word in upper case. The usual words are compared first, because V8 takes longer for `toUpperCase`. */
const upperCase = (word: ByteString): ByteString =>
  word === "SET" || word === "NX" ? word : word.toUpperCase();

const isCondition = (option: ByteString): boolean => option === "NX" || option === "XX";
