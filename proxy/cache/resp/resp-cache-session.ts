/** What one Redis client asks for through a cache: answered from it, passed on among others' commands, or on a connection of his own. */
import { type ByteString, bytesOfText } from "../../../protocol/byte-string.js";
import { OK } from "../../../protocol/reply.js";
import { writeCommand, writeReply } from "../../../protocol/resp/resp-writer.js";
import type { Answer, AnswerListener, LaterAnswer } from "../../../serving/connections/dialect.js";
import type { AnswerStore, Fetched } from "../answer-store.js";
import type { CacheFigures } from "../cache-figures.js";
import { type CommandRule, tagsOfCached, tagsOfChanged } from "./command-rules.js";
import { type Argv, type ConnectionState, NEW_STATE, stateAfter } from "./connection-state.js";
import type { AwaitedReply, LinkFailure } from "./resp-link.js";
import type { SharedLink, SharedLinks } from "./shared-links.js";

export interface RespCacheHost {
  readonly links: SharedLinks;
  readonly store: AnswerStore<ByteString>;
  readonly figures: CacheFigures;
  /** Milliseconds for which answers are kept of whose changes the server tells. */
  readonly toldLife: number;
  /** Milliseconds for which a write whose answer was lost may still be carried out. */
  readonly doubtTime: number;
}

const TOO_MANY_KINDS = "-ERR too many kinds of connections\r\n";
const OKAY = writeReply(OK);

/** The answer to a command that was passed on. */
class PassedAnswer implements LaterAnswer, AwaitedReply {
  readonly kind = "later";
  answer: string | null = null;
  bytes = 0;
  listener: AnswerListener | null = null;
  readonly #told: ((reply: ByteString | LinkFailure) => void) | null;

  constructor(told: ((reply: ByteString | LinkFailure) => void) | null) {
    this.#told = told;
  }

  answered(reply: ByteString): void {
    this.#told?.(reply);
    this.listener?.answered(this, reply);
  }

  failed(failure: LinkFailure): void {
    this.#told?.(failure);
    this.listener?.answered(this, failureReply(failure));
  }
}

/** The words are those of the sidecar. */
export function failureReply({ isUnseen, detail }: LinkFailure): ByteString {
  const line = detail.replace(/[\r\n]+/g, " ");
  return `-${isUnseen ? "NOTAPPLIED" : "MAYBEAPPLIED"} ${bytesOfText(line)}\r\n`;
}

export class RespCacheSession {
  isClosing = false;
  /** Whether what follows must wait for an answer that decides about it. */
  isChanging = false;
  state: ConnectionState = NEW_STATE;
  readonly #host: RespCacheHost;
  #shared: SharedLink | null = null;
  /** His writes that are not answered: until then nothing is answered from the cache. */
  #writes = 0;
  #isGone = false;

  constructor(host: RespCacheHost) {
    this.#host = host;
  }

  serve(argv: Argv, rule: CommandRule): Answer | Promise<Answer> | LaterAnswer {
    switch (rule) {
      case "quit":
        this.isClosing = true;
        return OKAY;
      case "reset":
        this.#enter(NEW_STATE);
        return "+RESET\r\n";
      case "state":
        return this.#change(argv);
      case "cached":
        return this.#writes === 0 ? this.#read(argv) : this.#pass(argv, null);
      case "write":
      case "all":
        return this.#write(argv, rule);
      default:
        return this.#pass(argv, null);
    }
  }

  /** Whether commands of this rule have to wait until all before them are answered. */
  mustWait(rule: CommandRule): boolean {
    return rule === "state" || rule === "reset" || rule === "own";
  }

  gone(): void {
    this.#isGone = true;
    this.#leave();
  }

  #leave(): void {
    if (this.#shared !== null) this.#host.links.leave(this.#shared);
    this.#shared = null;
  }

  /** null: the server is left alone for now. */
  #link(): SharedLink | null {
    const shared = this.#shared;
    if (shared !== null && !shared.link.isGone) return shared;
    const { links } = this.#host;
    if (links.find(this.state) === undefined && links.refusal !== null) return null;
    const next = links.of(this.state);
    next.users++;
    this.#shared = next;
    return next;
  }

  #refusal(): ByteString {
    this.#host.figures.failed++;
    return failureReply(this.#host.links.refusal ?? { isUnseen: true, detail: "closed" });
  }

  #pass(argv: Argv, told: ((reply: ByteString | LinkFailure) => void) | null): Answer | LaterAnswer {
    const shared = this.#link();
    if (shared === null) return this.#refusal();
    this.#host.figures.forwarded++;
    const answer = new PassedAnswer(told);
    shared.link.send(argv, answer);
    return answer;
  }

  #write(argv: Argv, rule: CommandRule): Answer | LaterAnswer {
    const { store, doubtTime, figures } = this.#host;
    this.#writes++;
    const answer = this.#pass(argv, (reply) => {
      this.#writes--;
      if (typeof reply === "string") {
        if (!store.isIdle) store.empty(tagsOfChanged(argv, rule));
        return;
      }
      figures.failed++;
      if (!reply.isUnseen) store.distrust(tagsOfChanged(argv, rule), doubtTime);
    });
    if (typeof answer === "string") this.#writes--;
    return answer;
  }

  #read(argv: Argv): Answer | Promise<Answer> {
    const shared = this.#link();
    if (shared === null) return this.#refusal();
    const { store } = this.#host;
    const command = writeCommand(argv);
    const key = shared.key + command;
    const kept = store.get(key);
    if (kept !== undefined) return kept;
    const tags = tagsOfCached(argv);
    return store.fetch(key, tags, () => this.#fetch(shared, argv, tags));
  }

  #fetch(shared: SharedLink, argv: Argv, tags: readonly string[]): Promise<Fetched<ByteString>> {
    const { toldLife, figures } = this.#host;
    const { freshness } = shared;
    return new Promise((resolve) => {
      shared.link.send(argv, {
        answered(reply) {
          const isKept = freshness !== "unknown" && freshness === shared.freshness && !reply.startsWith("-");
          const life = freshness === "told" ? { life: toldLife } : {};
          resolve({ result: reply, keep: isKept ? { answer: reply, tags, ...life } : null });
        },
        failed(failure) {
          figures.failed++;
          resolve({ result: failureReply(failure), keep: null });
        },
      });
    });
  }

  #change(argv: Argv): Answer | Promise<Answer> {
    const target = stateAfter(this.state, argv);
    const { links } = this.#host;
    if (target === null) return this.#refusal();
    if (links.find(target) === undefined && links.refusal !== null) return this.#refusal();
    if (links.find(target) === undefined && links.isFull) return TOO_MANY_KINDS;
    this.isChanging = true;
    const known = links.find(target);
    const shared = known ?? links.of(target);
    shared.users++;
    return new Promise((resolve) => {
      let isTold = false;
      const settle = (reply: ByteString) => {
        if (isTold) return;
        isTold = true;
        this.isChanging = false;
        if (reply.startsWith("-") || this.#isGone) links.leave(shared);
        else this.#take(target, shared);
        resolve(reply);
      };
      if (known !== undefined) {
        const failed = (failure: LinkFailure) => settle(failureReply(failure));
        known.link.send(argv, { answered: settle, failed });
        return;
      }
      shared.prepared = (replies) => settle(replies[target.indexOf(argv)] ?? (replies.at(-1) as ByteString));
      // Lost before it was prepared, or answered behind that.
      shared.link.send(["PING"], {
        answered: (reply) => settle(reply),
        failed: (failure) => settle(failureReply(failure)),
      });
    });
  }

  #enter(state: ConnectionState): void {
    this.state = state;
    this.#leave();
  }

  #take(state: ConnectionState, shared: SharedLink): void {
    this.#enter(state);
    this.#shared = shared;
  }
}
