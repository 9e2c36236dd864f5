/**
 * Determines whether this daemon is new and refused: no peer has ever admitted it, and every peer that answers refuses
 * it for a reason that only an operator can remove. Its writes would then reach no other daemon, and it could not keep
 * them once the operator has corrected its options. A daemon that was admitted before ignores such refusals, because a
 * program at the address of a peer could otherwise stop it.
 * Source: docs/decisions/0074-a-refused-new-daemon-accepts-no-writes.md.
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import { type AdmissionCode, admissionText } from "../../../protocol/figures/admission-refusals.js";
import { isAuthorization } from "../../store/key-command.js";
import type { Entry } from "../../timeline/entries/entry.js";
import { containsData } from "../../timeline/entries/recorded-envelopes.js";
import type { Member } from "./member.js";
import type { Roster } from "./roster.js";
import type { Admitted, ClusterState } from "./shared/cluster-state.js";

export class Admission {
  /** Whether this daemon was admitted, in this process or with this data folder. */
  admitted: Admitted;
  readonly #cluster: ClusterState<Member>;
  readonly #roster: Roster;

  constructor(cluster: ClusterState<Member>, roster: Roster) {
    this.#cluster = cluster;
    this.#roster = roster;
    this.admitted = cluster.admitted;
  }

  /**
   * Why every peer that answers refuses this daemon, and what to do; null if a peer admits it, or none has answered.
   */
  get refusalText(): string | null {
    const { refusals } = this.#roster;
    return refusals === null ? null : admissionText(refusals, this.admitted !== null);
  }

  /** Whether this daemon must not accept writes. */
  get isRefused(): boolean {
    return this.admitted === null && this.#roster.refusals !== null;
  }

  /**
   * Whether a daemon that is refused accepts commands, because they authorize daemons' keys and a peer refuses this
   * daemon because of a key. While no daemon of a new cluster admits another one, only these commands can change that.
   */
  accepts(commands: readonly (readonly ByteString[])[]): boolean {
    const codes = [...(this.#roster.refusals?.values() ?? [])];
    return commands.length > 0 && commands.every(isAuthorization) && codes.some((code) => OF_KEYS.has(code));
  }

  /** Called before entries of clients, or decisions, are stored. */
  noteWrite(entries: readonly Entry[]): void {
    if (this.admitted === null && this.#servesAlone && containsData(entries)) this.admitted = "alone";
  }

  tick(): void {
    const { members, notices } = this.#cluster;
    if (this.admitted !== "compared" && [...members.values()].some(({ compared }) => compared !== null))
      this.admitted = "compared";
    else if (this.admitted === null && this.#servesAlone && this.#hasWrites) this.admitted = "alone";

    const { refusalText } = this;
    if (refusalText === null || this.admitted === null) notices.clear(SUBJECT);
    else notices.warn(SUBJECT, { reason: refusalText }, STILL_SERVING);
  }

  /** Whether this daemon has no peers, and accepts writes. */
  get #servesAlone(): boolean {
    const { members, state } = this.#cluster;
    return members.size === 0 && !this.#roster.hasOthers && state === "live";
  }

  /** Whether clients' writes are stored here. */
  get #hasWrites(): boolean {
    return this.#cluster.timeline.index.total("data").count > 0;
  }
}

/** The reasons that the authorization of a daemon's key removes. */
const OF_KEYS: ReadonlySet<AdmissionCode> = new Set<AdmissionCode>(["not-a-member", "other-secret"]);

const SUBJECT = "admission";
const STILL_SERVING =
  "no peer that answers admits this daemon any longer; it was admitted before, and continues to accept writes";
