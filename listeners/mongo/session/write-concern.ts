/**
 * Write concerns: `w: 1` answers when this daemon has the write, as for all other clients; with more, the answer
 * waits for other daemons, like WAIT.
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import { boolean, document, element, int32, text } from "../../../protocol/mongo/bson-writer.js";
import type { Place } from "../../../timeline/entries/entry.js";
import type { DaemonFace } from "../../daemon-face.js";
import type { CommandDocument } from "../messages/command-document.js";
import { failure } from "../messages/failure.js";

export interface WriteConcern {
  /** Daemons besides this one that must have the write. */
  readonly others: number;
  /** Milliseconds; 0: no limit. */
  readonly timeout: number;
  readonly copies: DaemonFace["copies"];
}

/** The fields of a write concern; its provenance is ignored. */
const KNOWN: readonly string[] = ["w", "j", "wtimeout", "wtimeoutMS", "fsync", "provenance"];
const MAJORITY = "majority";
const DAEMONS_MAX = 50;

/** @throws MongoFailure  it requests what the daemon does not have */
export function writeConcernOf(
  command: CommandDocument,
  { copies, settings, members }: DaemonFace,
): WriteConcern {
  const asked = command.within("writeConcern");
  if (asked === null) return { others: 0, timeout: 0, copies };
  const unknown = asked.members.find(({ name }) => !KNOWN.includes(name));
  if (unknown !== undefined)
    throw failure(40415, `BSON field 'writeConcern.${unknown.name}' is an unknown field.`);
  if ((asked.flag("j") || asked.flag("fsync")) && (settings.data === null || settings.fsync !== "always"))
    throw failure(2, "'j' needs a daemon with --data and --fsync always");
  const timeout = Math.max(0, asked.number("wtimeout") ?? 0);
  return { others: othersOf(asked, copies, Math.max(settings.peers.length, members)), timeout, copies };
}

function othersOf(asked: CommandDocument, copies: DaemonFace["copies"], peers: number): number {
  const isAlone = copies === null || copies.isAlone;
  if (asked.isText("w")) {
    const word = asked.words("w");
    if (word !== MAJORITY) throw failure(79, `No write concern mode named '${word}' found`);
    // More than half of all daemons, this one included.
    return isAlone ? 0 : Math.floor((peers + 1) / 2);
  }
  const daemons = asked.number("w") ?? 1;
  if (!Number.isInteger(daemons) || daemons < 0 || daemons > DAEMONS_MAX)
    throw failure(9, `w has to be a number from 0 to ${DAEMONS_MAX}, or "${MAJORITY}"`);
  if (daemons > 1 && isAlone) throw failure(2, "cannot use 'w' > 1 when a host is not replicated");
  return Math.max(0, daemons - 1);
}

/**
 * Waits for the other daemons.
 * @param place   of the write; null: nothing was written
 * @param answer  elements, to which an error is added if the wait times out
 * @param waits   receives a function that ends the wait early; a later call has no effect
 */
export function waited(
  { others, timeout, copies }: WriteConcern,
  place: Place | null,
  answer: ByteString,
  waits: (end: () => void) => void,
): ByteString | Promise<ByteString> {
  if (copies === null || place === null || copies.count(place) >= others) return answer;
  return new Promise((resolve) => {
    const end = copies.wait({ place, wanted: others, milliseconds: timeout }, () => {
      resolve(copies.count(place) >= others ? answer : `${answer}${TOO_LATE}`);
    });
    waits(end);
  });
}

const TOO_LATE = element(
  "writeConcernError",
  document({
    code: int32(64),
    codeName: text("WriteConcernFailed"),
    errmsg: text("waiting for replication timed out"),
    errInfo: document({ wtimeout: boolean(true) }),
  }),
);
