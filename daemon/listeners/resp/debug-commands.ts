/**
 * DEBUG: the few subcommands that test suites of clients call and that can be answered honestly. SLEEP lets its own
 * connection wait; the others, who wait as well in Redis, are served meanwhile.
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import { error, OK, type Reply, status } from "../../../protocol/reply.js";
import { findCommand } from "../../../store/command-table.js";
import { custom, noSuchKey, unknownSubcommand, wrongArity } from "../../../store/errors.js";
import { parseDouble } from "../../../store/numbers.js";
import type { RespSession, SessionHandler } from "./session.js";

export const debugHandlers: readonly (readonly [string, SessionHandler])[] = [["DEBUG", debug]];

/** Longer sleeps end then. */
const SLEEP_MS_MAX = 60_000;

interface Subcommand {
  /** Arguments with both names. */
  readonly arity: number;
  readonly run: (session: RespSession, argv: readonly ByteString[]) => Reply | Promise<Reply>;
}

const SUBCOMMANDS: Readonly<Record<string, Subcommand>> = {
  ERROR: { arity: 3, run: (_, argv) => error((argv[2] as ByteString).replace(/[\r\n]/g, " ")) },
  OBJECT: { arity: 3, run: object },
  // Whether keys that have expired are still held cannot be seen from outside.
  "SET-ACTIVE-EXPIRE": { arity: 3, run: () => OK },
  SLEEP: { arity: 3, run: sleep },
};

function debug(session: RespSession, argv: readonly ByteString[]): Reply | Promise<Reply> {
  const name = (argv[1] as ByteString).toUpperCase();
  const subcommand = Object.hasOwn(SUBCOMMANDS, name) ? SUBCOMMANDS[name] : undefined;
  if (subcommand === undefined)
    throw unknownSubcommand("DEBUG", argv[1] as ByteString, Object.keys(SUBCOMMANDS));
  if (argv.length !== subcommand.arity) throw wrongArity("debug");
  return subcommand.run(session, argv);
}

function sleep({ host }: RespSession, argv: readonly ByteString[]): Reply | Promise<Reply> {
  const seconds = parseDouble(argv[2] as ByteString);
  if (seconds === undefined || !(seconds >= 0)) throw custom("ERR value is not a valid float");
  const milliseconds = Math.min(seconds * 1000, SLEEP_MS_MAX);
  return new Promise((resolve) => {
    host.environment.setTimer(milliseconds, () => resolve(OK));
  });
}

/** `DEBUG OBJECT key` */
function object(session: RespSession, argv: readonly ByteString[]): Reply {
  const key = argv[2] as ByteString;
  const encoding = asked(session, ["OBJECT", "ENCODING", key]);
  const dump = asked(session, ["DUMP", key]);
  if (encoding.kind !== "bulk" || dump.kind !== "bulk") throw noSuchKey();
  // Without what is said of the form and its checksum.
  const length = dump.bytes.length - 11;
  return status(
    `Value at:0x0 refcount:1 encoding:${encoding.bytes} serializedlength:${length} lru:0 lru_seconds_idle:0`,
  );
}

/** What a read is answered, which comes at once. */
function asked(session: RespSession, argv: readonly ByteString[]): Reply {
  const command = findCommand(argv[0] === "OBJECT" ? "OBJECT|ENCODING" : (argv[0] as ByteString));
  if (command === undefined) throw new Error(`${argv[0]} is no command.`);
  const reply = session.host.path.execute(command, argv, session);
  return reply instanceof Promise ? error("ERR not at once") : reply;
}
