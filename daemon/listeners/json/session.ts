/** What is remembered of a JSON connection: who has logged in. Requests in, answers out; knows nothing of bytes. */
import { isUtf8 } from "node:buffer";
import type { ByteString } from "../../../protocol/byte-string.js";
import { MalformedJson, NOT_UTF8 } from "../../../protocol/json-reader.js";
import { type ErrorReply, error, type Reply } from "../../../protocol/reply.js";
import type { Command } from "../../../store/command.js";
import { resolveCommand } from "../../../store/command-table.js";
import { CommandFailure } from "../../../store/errors.js";
import type { CommandPath, CommandSender } from "../../command-path.js";
import type { Environment } from "../../environment.js";
import type { MemoryFace } from "../../memory-limit.js";
import { DEFAULT_USER, type User, type Users } from "../../users.js";
import { type ActionHost, actions, type Written } from "./actions.js";
import { failure, faultSentence, withinStrings } from "./answers.js";
import type { JsonReplicas } from "./replicas.js";
import { type JsonRequest, readRequest, textOfLine } from "./request.js";

export interface JsonSessionHost {
  readonly path: CommandPath;
  readonly users: Users;
  readonly memory: MemoryFace;
  readonly environment: Environment;
  /** Servers of the original's kind; null: none. */
  readonly replicas: JsonReplicas | null;
}

/** Closes the connection, without an answer. */
export const QUIT = "quit";
/** What browsers send that were led here by a page: what they post would be done, where nobody has to log in. */
const HTTP = /^(?:[A-Z]+ \S+ HTTP\/|Host:)/i;
const OUT_OF_MEMORY = error("OOM No memory is left for more data.");

export class JsonSession implements ActionHost, CommandSender {
  readonly db = 0;
  readonly isStable = false;
  readonly #host: JsonSessionHost;
  #user: User | null;
  #generation: number;

  constructor(host: JsonSessionHost) {
    this.#host = host;
    this.#user = host.users.anonymous;
    this.#generation = host.users.generation;
  }

  get now(): number {
    return this.#host.environment.clock();
  }

  get as(): ByteString | null {
    return this.#user?.name ?? null;
  }

  get readsAll(): boolean {
    return this.#user?.acl.mayReadAll ?? false;
  }

  /** Whether nobody has logged in who has to. */
  get isStranger(): boolean {
    return this.#user === null;
  }

  /** @param line  without blanks around it @returns the answer; null: the connection is to be closed */
  serve(line: Buffer): string | Promise<string> | null {
    const text = textOfLine(line, isUtf8);
    if (text === QUIT) return null;
    if (this.#generation !== this.#host.users.generation) this.#renewUser();
    let request: JsonRequest;
    try {
      request = readRequest(text);
    } catch (problem) {
      if (!(problem instanceof MalformedJson)) throw problem;
      if (HTTP.test(text)) return null;
      const shown = text.endsWith(NOT_UTF8) ? line.toString("utf8") : text;
      return failure(faultSentence(problem.fault, shown));
    }
    const { action } = request;
    if (action === undefined) return failure("No action key provided.");
    const run = actions.get(action);
    if (run === undefined) return failure(`The action '${action}' provided is not valid.`);
    if (this.#user === null && action !== "auth") return failure("Authentication required.");
    return withinStrings(() => run(this, request));
  }

  read(argv: readonly ByteString[]): Reply | Promise<Reply> {
    const command = this.#permitted(argv);
    return "kind" in command ? command : this.#host.path.execute(command, argv, this);
  }

  write(argv: readonly ByteString[], request: JsonRequest): Written | Promise<Written> {
    const command = this.#permitted(argv);
    if ("kind" in command) return { reply: command, replicated: null };
    const { path, memory, replicas } = this.#host;
    if (memory.isFull && memory.refuses(command.flags.includes("denyoom")))
      return { reply: OUT_OF_MEMORY, replicated: null };
    const isLocal = request.isOff("replicate");
    let replicated: boolean | null = isLocal || path.others !== null ? false : null;
    const waits = !isLocal && path.others !== null && path.others > 0;
    const sender: CommandSender = waits ? this.#awaiting((came) => (replicated = came)) : this;
    const reply = path.execute(command, argv, sender);
    if (replicas !== null && !isLocal && !(reply instanceof Promise) && hasChanged(reply))
      return replicas.forward(request).then((came) => ({ reply, replicated: came }));
    return reply instanceof Promise
      ? reply.then((settled) => ({ reply: settled, replicated }))
      : { reply, replicated };
  }

  logIn(name: ByteString, password: ByteString): boolean {
    const user = this.#host.users.login(name, password);
    if (user === null) return false;
    this.#user = user;
    this.#generation = this.#host.users.generation;
    return true;
  }

  /** The same user, who is told whether a write has reached another daemon. */
  #awaiting(replicated: (came: boolean) => void): CommandSender {
    const { db, now, isStable, as, readsAll } = this;
    return { db, now, isStable, as, readsAll, replicated };
  }

  #permitted(argv: readonly ByteString[]): Command | ErrorReply {
    const command = resolveCommand(argv);
    if (command instanceof CommandFailure) return command.reply;
    const denial = this.#user?.acl.isUnlimited === true ? null : this.#user?.acl.refusal(command, argv);
    if (denial === null) return command;
    return error("NOPERM this user has no permissions for this action or document.");
  }

  /** The users were read again: who is gone or switched off is no longer logged in. */
  #renewUser(): void {
    const { users } = this.#host;
    const found = users.find(this.#user?.name ?? DEFAULT_USER);
    this.#user = this.#user === null ? users.anonymous : found?.isOn === true ? found : null;
    this.#generation = users.generation;
  }
}

/** An error changes nothing; emptying a document that is not there neither. */
function hasChanged(reply: Reply): boolean {
  return reply.kind !== "error" && !(reply.kind === "integer" && reply.value === 0);
}
