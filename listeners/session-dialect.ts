/**
 * A dialect with a session, which also handles logins and answers one request after the other. Counts what was
 * served.
 */
import type { UserCommands } from "../engine/users/user-commands.js";
import { type Answer, type ClientDoing, Dialect } from "../net/connections/dialect.js";
import type { DaemonSocketHost } from "./daemon-listener.js";

export interface AnsweringSession<Request, Given> {
  readonly commands: UserCommands;
  /** Serves a request. @returns the answer; null: the connection closes without one */
  serve(request: Request): Given | Promise<Given> | null;
}

export abstract class SessionDialect<Request, Given = string> extends Dialect<Request> {
  isProven = false;
  isClosing = false;
  readonly #host: DaemonSocketHost;
  readonly #session: AnsweringSession<Request, Given>;

  constructor(host: DaemonSocketHost, session: AnsweringSession<Request, Given>) {
    super();
    this.#host = host;
    this.#session = session;
  }

  get silenceMost(): number {
    return this.#host.limits.respIdleTimeout;
  }

  override get doing(): ClientDoing {
    return this.#session.commands.doing;
  }

  serve(request: Request): Answer | Promise<Answer> {
    const given = this.#session.serve(request);
    this.isClosing = given === null;
    if (given === null) return "";
    return given instanceof Promise ? given.then(this.#answerOf) : this.#answerOf(given);
  }

  protected get needsLogin(): boolean {
    return this.#session.commands.needsLogin;
  }

  /** Returns the bytes of the session's answer. */
  protected abstract written(given: Given): Answer;

  /** Whether an answer is an error. */
  protected abstract isError(text: string): boolean;

  readonly #answerOf = (given: Given): Answer => {
    this.isProven ||= !this.#session.commands.needsLogin;
    const answer = this.written(given);
    const isError = typeof answer === "string" && this.isError(answer);
    this.#host.observer.served(this.listener, 1, isError ? 1 : 0);
    return answer;
  };
}
