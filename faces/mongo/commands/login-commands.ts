/**
 * The login commands: SCRAM-SHA-256, and PLAIN over private connections. The users are those of --acl-file. Also the
 * commands of sessions.
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import {
  binary,
  boolean,
  date,
  document,
  elements,
  int32,
  list,
  text,
} from "../bytes/bson-document-writer.js";
import type { CommandDocument } from "../messages/command-document.js";
import { failure } from "../messages/failure-codes.js";
import { noTransactions } from "../messages/field-checks.js";
import type { MongoCommand, MongoSession } from "../session/mongo-session.js";
import { ScramLogin, scramStart } from "../session/scram.js";

const SCRAM = "SCRAM-SHA-256";
const PLAIN = "PLAIN";
/** The mechanisms that are offered to drivers. */
export const MECHANISMS: readonly string[] = [SCRAM];
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
export async function startLogin(session: MongoSession, command: CommandDocument): Promise<ByteString> {
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
/** The lifetime of a session that the daemon reports. */
export const SESSION_MINUTES = 30;

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
