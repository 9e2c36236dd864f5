/** The dialect of a session that handles logins and answers requests, one after the other. */

import type { DaemonSocketHost } from "../../daemon/listener/daemon-listener.js";
import { type ClientDoing, Dialect, type WireAnswer } from "../../daemon/net/connections/dialect.js";
import type { UserCommands } from "./user-commands.js";

interface AnsweringSession<Request, Reply> {
  readonly commands: UserCommands;
  /** Serves a request. @returns the answer, or null if the connection must be closed without one */
  serve(request: Request): Reply | Promise<Reply> | null;
}

/** The dialect counts the answered requests. */
export abstract class SessionDialect<Request, Reply = string> extends Dialect<Request> {
  readonly showsBytes = false;
  isProven = false;
  isClosing = false;
  readonly #host: DaemonSocketHost;
  readonly #session: AnsweringSession<Request, Reply>;

  constructor(host: DaemonSocketHost, session: AnsweringSession<Request, Reply>) {
    super();
    this.#host = host;
    this.#session = session;
  }

  get silenceMaxMs(): number {
    return this.#host.limits.respIdleTimeout;
  }

  override get doing(): ClientDoing {
    return this.#session.commands.doing;
  }

  serve(request: Request): WireAnswer | Promise<WireAnswer> {
    const reply = this.#session.serve(request);
    this.isClosing = reply === null;
    if (reply === null) return "";
    return reply instanceof Promise ? reply.then(this.#answerOf) : this.#answerOf(reply);
  }

  protected get needsLogin(): boolean {
    return this.#session.commands.needsLogin;
  }

  /** Returns the bytes of the session's answer. */
  protected abstract written(reply: Reply): WireAnswer;

  /** Returns whether an answer is an error. */
  protected abstract isError(text: string): boolean;

  readonly #answerOf = (reply: Reply): WireAnswer => {
    this.isProven ||= !this.#session.commands.needsLogin;
    const answer = this.written(reply);
    const isError = typeof answer === "string" && this.isError(answer);
    this.#host.observer.served(this.listener, 1, isError ? 1 : 0);
    return answer;
  };
}
