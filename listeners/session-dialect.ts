/** A dialect whose requests a session answers, one after the other: who has to log in does so there. What was served is counted. */
import { type Answer, type ClientDoing, Dialect } from "../net/connections/dialect.js";
import type { DaemonSocketHost } from "./daemon-listener.js";

export interface AnsweringSession<Request, Given> {
  /** Whether nobody has logged in who has to. */
  readonly isStranger: boolean;
  readonly doing: ClientDoing;
  /** @returns null: the connection is to be closed, without an answer */
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
    return this.#session.doing;
  }

  serve(request: Request): Answer | Promise<Answer> {
    const given = this.#session.serve(request);
    this.isClosing = given === null;
    if (given === null) return "";
    return given instanceof Promise ? given.then(this.#told) : this.#told(given);
  }

  protected get isStranger(): boolean {
    return this.#session.isStranger;
  }

  /** What the session gave, as it goes out. */
  protected abstract written(given: Given): Answer;

  /** Whether a text that goes out says that something is wrong. */
  protected abstract isError(text: string): boolean;

  readonly #told = (given: Given): Answer => {
    this.isProven ||= !this.#session.isStranger;
    const answer = this.written(given);
    const isError = typeof answer === "string" && this.isError(answer);
    this.#host.observer.served(this.listener, 1, isError ? 1 : 0);
    return answer;
  };
}
