/**
 * The commands by which drivers learn the properties of the server, and whether it is alive, and the login commands:
 * SCRAM-SHA-256, and PLAIN over private connections. The users are those of --acl-file. Also the commands of sessions.
 */

import { version } from "../../../daemon/net/process/version.js";
import { type ByteString, bytesOfText } from "../../../protocol/byte-string.js";
import { acceptsWrites, DAEMON_STATES } from "../../../protocol/daemon-states.js";
import type { StateName } from "../../../protocol/state-names.js";
import {
  binary,
  boolean,
  date,
  document,
  documentBytes,
  double,
  element,
  elements,
  embedded,
  int32,
  list,
  text,
  textOf,
  document as written,
} from "../bytes/bson-documents.js";
import { BATCH_DOCUMENTS_MAX, DOCUMENT_BYTES_MAX, MESSAGE_BYTES_MAX } from "../bytes/mongo-message.js";
import { type CommandDocument, noTransactions } from "../messages/command-document.js";
import { failure } from "../messages/failure-codes.js";
import type { MongoServer } from "../session/mongo-server.js";
import type { MongoCommand, MongoSession } from "../session/mongo-session.js";
import { ScramLogin, scramStart } from "../session/scram.js";

/** MongoDB's code for a server that is neither writable nor readable now (NotPrimaryOrSecondary). */
const NOT_PRIMARY_OR_SECONDARY = 13436;

/** The server version whose commands are supported, and its wire version for drivers: MongoDB 7.0. */
const EMULATED = [7, 0, 0, 0];
const WIRE_VERSION = 21;
/** The oldest supported wire version, which includes OP_MSG. */
const WIRE_VERSION_MIN = 0;

export const greetings: readonly MongoCommand[] = [
  {
    names: ["hello"],
    group: "connection",
    summary:
      "describes the server: standalone, or with peers one of several equal servers (a mongos, for drivers)",
    // New drivers send fields that older servers do not know.
    fields: "any",
    isOpen: true,
    run: (session, command) => greet(session, command, "isWritablePrimary"),
  },
  {
    names: ["isMaster", "ismaster"],
    group: "connection",
    summary: "the same for older drivers",
    fields: "any",
    isOpen: true,
    run: (session, command) => greet(session, command, "ismaster"),
  },
  {
    names: ["ping"],
    group: "connection",
    summary: "checks that the server responds",
    fields: {},
    isOpen: true,
    run: () => "",
  },
  {
    names: ["buildInfo", "buildinfo"],
    group: "connection",
    summary: "returns the version whose commands are supported (MongoDB 7.0), and this daemon's version",
    fields: {},
    isOpen: true,
    run: () =>
      elements({
        version: text(EMULATED.slice(0, 3).join(".")),
        versionArray: list(EMULATED.map(int32)),
        dbsyncd: text(version),
        modules: list([]),
        bits: int32(64),
        debug: boolean(false),
        maxBsonObjectSize: int32(DOCUMENT_BYTES_MAX),
      }),
  },
  {
    names: ["whatsmyuri"],
    group: "connection",
    summary: "returns the address of the client",
    fields: {},
    run: ({ remote }) => elements({ you: textOf(remote) }),
  },
  {
    names: ["getParameter"],
    group: "connection",
    summary:
      "returns `featureCompatibilityVersion` and `enableTestCommands`, the only parameters; `*` is both",
    fields: "any",
    run: (_, command) => parameters(command),
  },
  {
    names: ["getCmdLineOpts"],
    group: "connection",
    summary: "returns whether clients must log in; `dbsyncd --check-config` prints the options",
    fields: {},
    run: ({ server }) => commandLine(server),
  },
  {
    names: ["serverStatus"],
    group: "connection",
    summary: "returns version, process and time; /metrics has the figures",
    fields: "any",
    run: ({ server }) => status(server),
  },
];

/**
 * Greets a client. While the daemon is catching up, the answer waits for a short time. Then it is an error, as in every
 * other state that is not healthy, and drivers that know other servers use those. The wait is needed because a driver
 * may still choose a daemon that has just been restarted, and does not retry a write if connecting fails. An answer as
 * another kind of server would make drivers forget this server permanently. Source: MongoDB's specification, "Server
 * Discovery and Monitoring", updateShardedFromServer.
 */
function greet(
  session: MongoSession,
  command: CommandDocument,
  isPrimary: string,
): ByteString | Promise<ByteString> {
  const { server } = session;
  if (server.unavailable === null) return greeting(session, command, isPrimary);
  return server.caughtUp().then(() => {
    const { unavailable } = server;
    if (unavailable === null) return greeting(session, command, isPrimary);
    throw failure(NOT_PRIMARY_OR_SECONDARY, unavailableText(unavailable));
  });
}

/** Returns the error for drivers of a daemon that accepts no writes. */
function unavailableText(state: StateName): string {
  if (state === "catching-up")
    return "this daemon is catching up with its peers: use another one, or try again in a few seconds";
  return `this daemon accepts no writes (${state}: ${DAEMON_STATES[state].meaning}): use another one`;
}

function greeting(session: MongoSession, command: CommandDocument, isPrimary: string) {
  const { server, id } = session;
  const isWritable = acceptsWrites(server.daemon.condition.state);
  const messageBytes = Math.min(MESSAGE_BYTES_MAX, server.host.limits.maxRequestBytes);
  const hello = elements({
    helloOk: boolean(true),
    [isPrimary]: boolean(isWritable),
    maxBsonObjectSize: int32(Math.min(DOCUMENT_BYTES_MAX, messageBytes)),
    maxMessageSizeBytes: int32(messageBytes),
    maxWriteBatchSize: int32(BATCH_DOCUMENTS_MAX),
    localTime: date(server.host.environment.clock()),
    ...(server.isOneOfSeveral ? { msg: text("isdbgrid") } : SESSIONS),
    connectionId: int32(id),
    minWireVersion: int32(WIRE_VERSION_MIN),
    maxWireVersion: int32(WIRE_VERSION),
    readOnly: boolean(!isWritable),
  });
  const mechanisms = command.has("saslSupportedMechs")
    ? element("saslSupportedMechs", list(MECHANISMS.map((one) => text(one))))
    : "";
  const loginStart = command.within("speculativeAuthenticate");
  if (loginStart === null) return `${hello}${mechanisms}`;
  return startLogin(session, loginStart).then(
    (begun) => `${hello}${mechanisms}${element("speculativeAuthenticate", embedded(documentBytes(begun)))}`,
    // If the login cannot begin, the driver sends saslStart next, and receives the error in reply to that.
    () => `${hello}${mechanisms}`,
  );
}

/** The lifetime of a session that the daemon reports. */
const SESSION_MINUTES = 30;
const SESSIONS = { logicalSessionTimeoutMinutes: int32(SESSION_MINUTES) };

/** The parameters, by their names. Tests of drivers look for the second one. */
const PARAMETERS = {
  featureCompatibilityVersion: written({ version: text(EMULATED.slice(0, 2).join(".")) }),
  enableTestCommands: boolean(false),
};

function parameters(command: CommandDocument) {
  const namesAll = command.isText("getParameter") && command.text("getParameter") === "*";
  const known = Object.entries(PARAMETERS).filter(([name]) => namesAll || command.has(name));
  if (known.length === 0) throw failure(72, "no option found to get");
  return elements(Object.fromEntries(known));
}

/** Returns what drivers' tests and tools look for in a server's command line. The options may contain secrets. */
function commandLine({ host: { users } }: MongoServer) {
  const authorization = text(users.anonymous === null ? "enabled" : "disabled");
  return elements({
    argv: list([text("dbsyncd")]),
    parsed: written({ security: written({ authorization }) }),
  });
}

function status({ host: { environment }, daemon }: MongoServer) {
  return elements({
    host: textOf(`${daemon.address}:${daemon.port}`),
    version: text(EMULATED.slice(0, 3).join(".")),
    process: text(bytesOfText("dbsyncd")),
    pid: int32(process.pid),
    uptime: double(Math.floor(process.uptime())),
    localTime: date(environment.clock()),
  });
}

const SCRAM = "SCRAM-SHA-256";
const PLAIN = "PLAIN";
/** The mechanisms that are offered to drivers. */
const MECHANISMS: readonly string[] = [SCRAM];
/** The id of a login; a connection has only one login at a time. */
const CONVERSATION = 1;
/** The BSON subtype of a payload: generic bytes. */
const GENERIC = 0;

export const logins: readonly MongoCommand[] = [
  {
    names: ["saslStart"],
    group: "login",
    summary: "begins a login with SCRAM-SHA-256, or with PLAIN over TLS or on the same machine",
    fields: {
      mechanism: "used",
      payload: "used",
      options: "used",
      autoAuthorize: "ignored",
      db: "ignored",
    },
    isOpen: true,
    run: startLogin,
  },
  {
    names: ["saslContinue"],
    group: "login",
    summary: "continues the login with the client's proof",
    fields: { conversationId: "used", payload: "used" },
    isOpen: true,
    run: continueLogin,
  },
  {
    names: ["logout"],
    group: "login",
    summary: "ends the login",
    fields: {},
    isOpen: true,
    run({ login }) {
      login.logOut();
      return "";
    },
  },
  {
    names: ["connectionStatus"],
    group: "login",
    summary: "returns the users that have logged in",
    fields: { showPrivileges: "unsupported" },
    run: ({ login: { name } }) => {
      const users = name === null ? [] : [document({ user: text(name), db: text("admin") })];
      return elements({
        authInfo: document({ authenticatedUsers: list(users), authenticatedUserRoles: list([]) }),
      });
    },
  },
];

const refused = () => failure(18, "Authentication failed.");

/** Begins a login. @returns the elements of the answer @throws MongoFailure */
async function startLogin(session: MongoSession, command: CommandDocument): Promise<ByteString> {
  const { login } = session;
  login.conversation = null;
  const mechanism = command.words("mechanism");
  const payload = payloadOf(command);
  if (mechanism === PLAIN) {
    logInPlainly(session, payload);
    return step("", true);
  }
  if (mechanism !== SCRAM)
    throw failure(334, `Received authentication for mechanism ${mechanism} which is not enabled`);
  const start = scramStart(payload);
  if (start === null) throw refused();

  const { users, environment } = session.server.host;
  const user = users.find(start.user);
  const salt = users.secrets?.saltOf(start.user) ?? "";
  const secrets = user === undefined ? [] : ((await users.secrets?.of(user)) ?? []);
  const scram = new ScramLogin(start, salt, secrets, environment);
  const skipsLast = command.within("options")?.flag("skipEmptyExchange") ?? false;
  login.conversation = { scram, skipsLast, isVerified: false };
  return step(scram.challenge, false);
}

function logInPlainly({ login }: MongoSession, payload: ByteString): void {
  if (!login.isPrivate)
    throw failure(334, "PLAIN sends the password itself: it is accepted only over TLS, or from this machine");
  const [, name, password, ...more] = payload.split("\0");
  if (name === undefined || password === undefined || more.length > 0 || !login.logIn(name, password))
    throw refused();
}

function continueLogin({ login }: MongoSession, command: CommandDocument): ByteString {
  const { conversation } = login;
  login.conversation = null;
  if (conversation === null || command.number("conversationId") !== CONVERSATION)
    throw failure(17, "No SASL session state found");
  const payload = payloadOf(command);
  if (conversation.isVerified) return step("", true);

  const { scram, skipsLast } = conversation;
  const proof = scram.finish(payload);
  if (proof === null || !login.enter(scram.user)) throw refused();

  // Older drivers send one more message, which is empty.
  if (!skipsLast) login.conversation = { ...conversation, isVerified: true };
  return step(proof, skipsLast);
}

function step(payload: ByteString, done: boolean): ByteString {
  return elements({
    conversationId: int32(CONVERSATION),
    done: boolean(done),
    payload: binary(GENERIC, payload),
  });
}

/** Returns the payload of a login message. @throws MongoFailure */
function payloadOf(command: CommandDocument): ByteString {
  const bytes = command.payload("payload");
  if (bytes === null) throw refused();
  return bytes;
}

const UUID = 4;
const UUID_BYTES = 16;

/**
 * The commands of logical sessions, which drivers begin and end themselves. The daemon stores nothing for them, and
 * refuses transactions.
 */
export const sessionCommands: readonly MongoCommand[] = [
  {
    names: ["startSession"],
    group: "connection",
    summary: "returns a session id",
    fields: {},
    run: ({
      server: {
        host: { environment },
      },
    }) =>
      elements({
        id: document({ id: binary(UUID, environment.randomBytes(UUID_BYTES)) }),
        timeoutMinutes: int32(SESSION_MINUTES),
        lastUse: date(environment.clock()),
      }),
  },
  {
    names: ["endSessions", "refreshSessions", "killSessions"],
    group: "connection",
    summary: "does nothing, because the daemon stores no session data",
    fields: {},
    isOpen: true,
    run: () => "",
  },
  {
    names: ["commitTransaction", "abortTransaction"],
    group: "connection",
    summary: "refused (238): transactions are not supported",
    fields: "any",
    run: () => {
      throw noTransactions();
    },
  },
];
