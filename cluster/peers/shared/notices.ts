/** Log lines about other members, each once and not in a storm: said again when it changes, or after some minutes. */
import type { PeerAddress } from "../../../options/peer-address.js";

/** Milliseconds after which the same is said again. */
const AGAIN_MS = 600_000;
/** Subjects that are remembered; a stranger with many addresses must not fill the memory. */
const SUBJECTS_MOST = 1000;

export interface PeeringLog {
  info(facts: object, text: string): void;
  warn(facts: object, text: string): void;
  error(facts: object, text: string): void;
}

/** What has been said of a connection before: strangers by their address without its port, which is another one each time. */
export const subjectOf = ({ address }: { readonly address: PeerAddress | null }, name: string): string =>
  address === null ? name.replace(/:\d+$/, "") : name;

export class Notices {
  readonly #log: PeeringLog;
  readonly #uptime: () => number;
  readonly #said = new Map<string, { readonly text: string; readonly at: number; withheld: number }>();

  constructor(log: PeeringLog, uptime: () => number) {
    this.#log = log;
    this.#uptime = uptime;
  }

  /** @param subject  whom it is about, such as an address */
  warn(subject: string, facts: object, text: string): void {
    this.#note("warn", subject, facts, text);
  }

  /** @param subject  as of `warn` */
  error(subject: string, facts: object, text: string): void {
    this.#note("error", subject, facts, text);
  }

  #note(level: "warn" | "error", subject: string, facts: object, text: string): void {
    const now = this.#uptime();
    const before = this.#said.get(subject);
    if (before !== undefined && before.text === text && now - before.at < AGAIN_MS) {
      before.withheld++;
      return;
    }
    if (this.#said.size >= SUBJECTS_MOST) this.#said.clear();
    this.#said.set(subject, { text, at: now, withheld: 0 });
    const withheld = before?.text === text && before.withheld > 0 ? { withheld: before.withheld } : {};
    this.#log[level]({ ...facts, ...withheld }, text);
  }

  info(facts: object, text: string): void {
    this.#log.info(facts, text);
  }

  /** All is well with it again: the next trouble is news. */
  clear(subject: string): void {
    this.#said.delete(subject);
  }
}
