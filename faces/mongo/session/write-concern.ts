/**
 * Parses write concerns. With `w: 1` the answer is sent when this daemon has the write, as for all other clients. With
 * a higher number the answer waits for other daemons, like WAIT.
 */

import type { OrderKey } from "../../../daemon/timeline/entries/entry.js";
import type { ByteString } from "../../../protocol/byte-string.js";
import type { DaemonInterface } from "../../users/daemon-interface.js";
import { boolean, document, element, int32, text } from "../bytes/bson-document-writer.js";
import type { CommandDocument } from "../messages/command-document.js";
import { failure } from "../messages/failure-codes.js";

export interface WriteConcern {
  /** The number of other daemons that must have the write. */
  readonly others: number;
  /** The time limit in milliseconds; 0: no limit. */
  readonly timeout: number;
  readonly copies: DaemonInterface["copies"];
}

/** The fields of a write concern; its provenance is ignored. */
const KNOWN: readonly string[] = ["w", "j", "wtimeout", "wtimeoutMS", "fsync", "provenance"];
const MAJORITY = "majority";
const DAEMONS_MAX = 50;

/** @throws MongoFailure  the command requests something that the daemon does not support */
export function writeConcernOf(
  command: CommandDocument,
  { copies, settings, members }: DaemonInterface,
): WriteConcern {
  const concern = command.within("writeConcern");
  if (concern === null) return { others: 0, timeout: 0, copies };
  const unknown = concern.members.find(({ name }) => !KNOWN.includes(name));
  if (unknown !== undefined)
    throw failure(40415, `BSON field 'writeConcern.${unknown.name}' is an unknown field.`);
  if ((concern.flag("j") || concern.flag("fsync")) && (settings.data === null || settings.fsync !== "always"))
    throw failure(2, "'j' requires a daemon with --data and --fsync always");
  const timeout = Math.max(0, concern.number("wtimeout") ?? 0);
  return { others: othersOf(concern, copies, Math.max(settings.peers.length, members)), timeout, copies };
}

function othersOf(concern: CommandDocument, copies: DaemonInterface["copies"], peers: number): number {
  const isAlone = copies === null || copies.isAlone;
  if (concern.isText("w")) {
    const word = concern.words("w");
    if (word !== MAJORITY) throw failure(79, `No write concern mode named '${word}' found`);
    // More than half of all daemons, including this one.
    return isAlone ? 0 : Math.floor((peers + 1) / 2);
  }
  const daemons = concern.number("w") ?? 1;
  if (!Number.isInteger(daemons) || daemons < 0 || daemons > DAEMONS_MAX)
    throw failure(9, `w must be a number from 0 to ${DAEMONS_MAX}, or "${MAJORITY}"`);
  if (daemons > 1 && isAlone) throw failure(2, "cannot use 'w' > 1 when a host is not replicated");
  return Math.max(0, daemons - 1);
}

/**
 * Waits for the other daemons.
 * @param orderKey   the order key of the write, or null if nothing was written
 * @param answer  elements of the answer, to which an error is added if the wait times out
 * @param onWait  receives a function that ends the wait early; later calls have no effect
 */
export function awaitCopies(
  { others, timeout, copies }: WriteConcern,
  orderKey: OrderKey | null,
  answer: ByteString,
  onWait: (end: () => void) => void,
): ByteString | Promise<ByteString> {
  if (copies === null || orderKey === null || copies.count(orderKey) >= others) return answer;
  return new Promise((resolve) => {
    const end = copies.wait({ orderKey, wanted: others, milliseconds: timeout }, () => {
      resolve(copies.count(orderKey) >= others ? answer : `${answer}${TOO_LATE}`);
    });
    onWait(end);
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
