/** What the commands of MongoDB clients are given: who asks, the way to the database, and what is remembered of a connection. */

import type { Users } from "../../../engine/users/users.js";
import type { Environment } from "../../../net/process/environment.js";
import type { Limits } from "../../../options/limits.js";
import type { ByteString } from "../../../protocol/byte-string.js";
import type { Reply } from "../../../protocol/reply.js";
import type { DaemonFace } from "../../daemon-face.js";
import type { CommandDocument } from "../messages/command-document.js";
import type { Fields } from "../messages/fields.js";
import type { Cursors } from "./cursors.js";
import type { ObjectIds } from "./object-ids.js";
import type { ScramLogin } from "./scram.js";

/** What is asked of the daemon. */
export interface MongoDaemon extends Pick<DaemonFace, "address" | "port" | "copies" | "members" | "state"> {
  readonly settings: Pick<DaemonFace["settings"], "data" | "fsync" | "peers">;
}

/** Of a listener, for all its connections. */
export interface MongoServer {
  readonly environment: Environment;
  /** Replaced when the configuration is read again. */
  readonly limits: Limits;
  readonly daemon: MongoDaemon;
  readonly users: Users;
  readonly cursors: Cursors;
  readonly objectIds: ObjectIds;
}

/** A login by proof that is under way. */
export interface Conversation {
  readonly scram: ScramLogin;
  /** Whether the client wants no further exchange behind the proofs. */
  readonly skipsLast: boolean;
  readonly isProved: boolean;
}

/** Who a connection's client is, as far as logins go. */
export interface MongoLogin {
  /** null: nobody. */
  readonly name: ByteString | null;
  /** Whether what is said here cannot be heard by others. */
  readonly isPrivate: boolean;
  /** null: none is under way. */
  conversation: Conversation | null;
  logIn(name: ByteString, password: ByteString): boolean;
  /** A user has proved who he is. @returns whether he may come in */
  enter(name: ByteString): boolean;
  logOut(): void;
}

export interface CommandHost {
  readonly server: MongoServer;
  readonly login: MongoLogin;
  /** Address and port of the client. */
  readonly remote: string;
  /** Of the connection. */
  readonly id: number;
  /** Whether the user may give a command of the database now. @throws MongoFailure  he may not */
  check(argv: readonly ByteString[]): void;
  /**
   * Carries out a command of the database, if the user may.
   * @param told  what is answered to a reply that is no error
   * @throws MongoFailure
   */
  run<Answer>(argv: readonly ByteString[], told: (reply: Reply) => Answer): Answer | Promise<Answer>;
  /** As `run`, for what writes: the answer waits as its `writeConcern` says. */
  write(
    command: CommandDocument,
    argv: readonly ByteString[],
    told: (reply: Reply) => ByteString,
  ): ByteString | Promise<ByteString>;
}

/** A command: a row of what this listener knows. */
export interface MongoCommand {
  /** As clients write it; further ones are other names of the same. */
  readonly names: readonly [string, ...string[]];
  readonly group: "connection" | "login" | "documents" | "collections" | "cursors";
  /** For docs/mongo.md. */
  readonly summary: string;
  readonly fields: Fields | "any";
  /** Whether it is carried out before anybody has logged in. */
  readonly isOpen?: true;
  /** @returns the elements of the answer. @throws MongoFailure */
  readonly run: (host: CommandHost, command: CommandDocument) => ByteString | Promise<ByteString>;
}
