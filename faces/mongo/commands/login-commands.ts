/** The login commands: SCRAM-SHA-256, and PLAIN over private connections. The users are those of --acl-file. */

import type { ByteString } from "../../../protocol/byte-string.js";
import { binary, boolean, document, elements, int32, list, text } from "../bytes/bson-documents.js";
import type { CommandDocument } from "../messages/command-document.js";
import { mongoError } from "../messages/failure-codes.js";
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
    needsNoLogin: true,
    run: startLogin,
  },
  {
    names: ["saslContinue"],
    group: "login",
    summary: "continues the login with the client's proof",
    fields: { conversationId: "used", payload: "used" },
    needsNoLogin: true,
    run: continueLogin,
  },
  {
    names: ["logout"],
    group: "login",
    summary: "ends the login",
    fields: {},
    needsNoLogin: true,
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

const refused = () => mongoError(18, "Authentication failed.");

/** Begins a login. @returns the elements of the answer @throws MongoAnswerError */
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
    throw mongoError(334, `Received authentication for mechanism ${mechanism} which is not enabled`);

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
    throw mongoError(
      334,
      "PLAIN sends the password itself: it is accepted only over TLS, or from this machine",
    );
  const [, name, password, ...more] = payload.split("\0");
  if (name === undefined || password === undefined || more.length > 0 || !login.logIn(name, password))
    throw refused();
}

function continueLogin({ login }: MongoSession, command: CommandDocument): ByteString {
  const { conversation } = login;
  login.conversation = null;
  if (conversation === null || command.number("conversationId") !== CONVERSATION)
    throw mongoError(17, "No SASL session state found");

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

/** Returns the payload of a login message. @throws MongoAnswerError */
function payloadOf(command: CommandDocument): ByteString {
  const bytes = command.payload("payload");
  if (bytes === null) throw refused();
  return bytes;
}
