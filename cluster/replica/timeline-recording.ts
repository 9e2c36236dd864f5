/** What the pipeline asks of a timeline: the recorder, who waits until it is certain, and the gateway, as one. */

import type { EnvelopeAnswer, Refused } from "../../engine/answers/request.js";
import type { Standing } from "../../engine/answers/result-writer.js";
import { LocalUnits } from "../../engine/backends/local-units.js";
import { Newest } from "../../engine/backends/newest.js";
import type { Heard, Recording, ShownState } from "../../engine/pipeline/recording.js";
import type { Taken } from "../../engine/pipeline/units.js";
import type { Environment } from "../../net/process/environment.js";
import type { ByteString } from "../../protocol/byte-string.js";
import type { Reply } from "../../protocol/reply.js";
import type { Envelope } from "../../protocol/version-2/envelope.js";
import type { DaemonState, EnvelopeDate, Wait } from "../../protocol/version-2/messages-v2.js";
import type { Place } from "../../timeline/entries/entry.js";
import type { ListCommands } from "../members/list-commands.js";
import type { Confirmations } from "./confirmations.js";
import type { Gateway } from "./gateway.js";
import type { Recorder } from "./recorder.js";

export interface TimelineRecordingParts {
  readonly recorder: Pick<
    Recorder,
    | "state"
    | "shownState"
    | "standing"
    | "newest"
    | "members"
    | "daemons"
    | "records"
    | "holds"
    | "hasApplied"
    | "firstAnswer"
    | "take"
    | "stop"
  >;
  readonly confirmations: Pick<Confirmations, "confirm" | "stop">;
  /** What version 1 writes comes this way; null: it writes nothing. */
  readonly gateway: Pick<Gateway, "takes" | "execute"> | null;
  /** What is asked and told of the list of members; not there: nothing is. */
  readonly lists?: Pick<ListCommands, "answer">;
  readonly environment: Pick<Environment, "clock" | "randomBytes">;
}

export class TimelineRecording implements Recording {
  /** The timeline tells itself what it holds, from before this start too. */
  readonly seenTo = Number.NEGATIVE_INFINITY;
  readonly localUnits: LocalUnits;
  readonly #parts: TimelineRecordingParts;

  constructor(parts: TimelineRecordingParts) {
    this.#parts = parts;
    this.localUnits = new LocalUnits(parts.environment, new Newest());
  }

  get state(): DaemonState {
    return this.#parts.recorder.state;
  }

  get shownState(): ShownState {
    return this.#parts.recorder.shownState;
  }

  get standing(): Standing {
    return this.#parts.recorder.standing;
  }

  get newest(): EnvelopeDate {
    return this.#parts.recorder.newest;
  }

  get members(): number {
    return this.#parts.recorder.members;
  }

  get daemons(): number {
    return this.#parts.recorder.daemons;
  }

  records(envelope: Pick<Envelope, "commands">): boolean {
    return this.#parts.recorder.records(envelope);
  }

  holds(place: Place): boolean {
    return this.#parts.recorder.holds(place);
  }

  /** What was answered here and is not recorded is read by nobody. */
  hasApplied(place: Place, heard: Heard): boolean {
    return this.#parts.recorder.hasApplied(place) || heard.isApplied(place.id, place.at);
  }

  /** From a peer, whatever its date. */
  mayCome(): boolean {
    return true;
  }

  firstAnswer(taken: Taken): Promise<EnvelopeAnswer> | null {
    return this.#parts.recorder.firstAnswer(taken);
  }

  apply(
    taken: Taken,
    here: () => EnvelopeAnswer | Promise<EnvelopeAnswer>,
  ): EnvelopeAnswer | Promise<EnvelopeAnswer> {
    if (taken.isRecorded) return this.#parts.recorder.take(taken);
    return this.#parts.lists?.answer(taken) ?? here();
  }

  confirm(place: Place, wait: Wait): Promise<boolean> {
    return this.#parts.confirmations.confirm(place, wait);
  }

  execute(argv: readonly ByteString[], as: ByteString | null): Promise<Reply | Refused> | null {
    const { gateway } = this.#parts;
    return gateway?.takes(argv) ? gateway.execute(argv, { db: 0, as }) : null;
  }

  stop(): void {
    this.#parts.confirmations.stop();
    this.#parts.recorder.stop();
  }
}
