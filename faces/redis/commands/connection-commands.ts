/** The commands that begin a connection, change its state, and end it. Texts: redis-server 7.0. */

import { custom, dbIndexOutOfRange, syntaxError } from "../../../daemon/store/arguments/command-errors.js";
import { int32Argument, parseInteger } from "../../../daemon/store/arguments/number-arguments.js";
import type { ByteString } from "../../../protocol/byte-string.js";
import { acceptsWrites } from "../../../protocol/daemon-states.js";
import { array, bulk, integer, map, OK, type Reply, status } from "../../../protocol/reply.js";
import { REDIS_VERSION } from "../../../protocol/resp/redis-version.js";
import type { UserSession } from "../../users/user-session.js";
import { DEFAULT_USER, type Users } from "../../users/users.js";
import { noteDenied } from "../session/refused-commands.js";
import type { RespSession, SessionHandler } from "../session/resp-session.js";

const HELLO_FIRST =
  "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO AUTH <user> <pass> " +
  "option can be used to authenticate the client and select the RESP protocol version at the same time";
const NO_PASSWORD =
  "ERR AUTH <password> called without any password configured for the default user. " +
  "Are you sure your configuration is correct?";

export const greetingHandlers: readonly (readonly [string, SessionHandler])[] = [
  ["HELLO", hello],
  ["AUTH", auth],
  ["SELECT", select],
  ["QUIT", quit],
  ["RESET", reset],
  ["DBSYNC|REPLY", chooseReply],
];

/** The session of a client as HELLO and AUTH change it. */
export interface GreetedSession {
  readonly id: number;
  readonly userSession: UserSession;
  protocol: 2 | 3;
  name: ByteString;
}

/** What differs between the answers of servers to HELLO and AUTH. */
export interface Greeting {
  /** The fields that describe the server. */
  readonly role: readonly (readonly [name: string, value: string])[];
  /** Called with the name of a user whose login fails. */
  readonly failed: (name: ByteString) => void;
}

/** `HELLO [2|3 [AUTH user password] [SETNAME name]]` */
function hello(session: RespSession, argv: readonly ByteString[]): Reply {
  const role = acceptsWrites(session.server.daemon.condition.state) ? "master" : "replica";
  return greet(session, argv, {
    role: [
      ["mode", "standalone"],
      ["role", role],
    ],
    failed: failedOf(session),
  });
}

const failedOf = (session: RespSession) => (name: ByteString) => noteDenied(session, "auth", "AUTH", name);

/** Answers HELLO. @throws CommandFailure */
export function greet(
  session: GreetedSession,
  argv: readonly ByteString[],
  { role, failed }: Greeting,
): Reply {
  const protocol = argv[1] === undefined ? session.protocol : parseInteger(argv[1]);
  if (protocol === undefined) throw custom("ERR Protocol version is not an integer or out of range");
  if (protocol !== 2 && protocol !== 3) throw custom("NOPROTO unsupported protocol version");

  for (let at = 2; at < argv.length; ) {
    const option = argv[at] as ByteString;
    if (option.toUpperCase() === "AUTH" && at + 2 < argv.length) {
      logIn(session, argv[at + 1] as ByteString, argv[at + 2] as ByteString, failed);
      at += 3;
    } else if (option.toUpperCase() === "SETNAME" && at + 1 < argv.length) {
      session.name = checkedName(argv[at + 1] as ByteString);
      at += 2;
    } else throw custom(`ERR Syntax error in HELLO option '${option}'`);
  }

  if (session.userSession.user === null) throw custom(HELLO_FIRST);
  session.protocol = protocol;
  return map([
    ...[bulk("server"), bulk("redis")],
    ...[bulk("version"), bulk(REDIS_VERSION)],
    ...[bulk("proto"), integer(protocol)],
    ...[bulk("id"), integer(session.id)],
    ...role.flat().map(bulk),
    ...[bulk("modules"), array([])],
  ]);
}

/** Maximum length of a client name in bytes: CLIENT LIST shows the names of all connections in one string. */
export const NAME_BYTES_MAX = 1024;

/** Checks and returns a connection's name. @throws CommandFailure  CLIENT LIST could not show the name */
export function checkedName(name: ByteString): ByteString {
  if (name.length > NAME_BYTES_MAX)
    throw custom(`ERR Client names may have at most ${NAME_BYTES_MAX} bytes here.`);
  if (/^[!-~]*$/.test(name)) return name;
  throw custom("ERR Client names cannot contain spaces, newlines or special characters.");
}

/** `AUTH [user] password` */
function auth(session: RespSession, argv: readonly ByteString[]): Reply {
  return authenticate(session, argv, session.server.host.users, failedOf(session));
}

/** Answers AUTH. @throws CommandFailure */
export function authenticate(
  session: GreetedSession,
  argv: readonly ByteString[],
  users: Users,
  failed: Greeting["failed"],
): Reply {
  if (argv.length > 3) throw syntaxError();
  if (argv.length === 2 && users.isOpen) throw custom(NO_PASSWORD);
  const [user, password] = argv.length === 2 ? [DEFAULT_USER, argv[1]] : [argv[1], argv[2]];
  logIn(session, user as ByteString, password as ByteString, failed);
  return OK;
}

function logIn(
  { userSession }: GreetedSession,
  name: ByteString,
  password: ByteString,
  failed: Greeting["failed"],
): void {
  if (userSession.logIn(name, password)) return;
  failed(name);
  throw custom("WRONGPASS invalid username-password pair or user is disabled.");
}

function select(session: RespSession, argv: readonly ByteString[]): Reply {
  const db = int32Argument(argv[1] as ByteString);
  if (db < 0 || db >= session.server.path.databases) throw dbIndexOutOfRange();
  session.db = db;
  return OK;
}

function quit(session: RespSession): Reply {
  session.isClosing = true;
  return OK;
}

function reset(session: RespSession): Reply {
  session.reset();
  return status("RESET");
}

/** `DBSYNC REPLY provisional|stable` */
function chooseReply(session: RespSession, argv: readonly ByteString[]): Reply {
  const word = (argv[2] as ByteString).toLowerCase();
  if (word !== "provisional" && word !== "stable") throw syntaxError();
  if (word === "stable" && !session.server.path.records)
    throw custom("ERR this daemon records nothing, so every answer is final immediately (--data, --peer)");
  session.isStable = word === "stable";
  return OK;
}
