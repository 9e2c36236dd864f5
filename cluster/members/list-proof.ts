/**
 * A list of members as an administrator signs it: `CLUSTER MEMBERS text`, alone in an envelope. Whoever gives it, this is what is
 * believed. Source: docs/protocol-v2.md "Members by list".
 */

import { hashOf } from "../../engine/trust/identity.js";
import type { SignersFace } from "../../engine/trust/signers.js";
import type { ByteString } from "../../protocol/byte-string.js";
import { MalformedFrame } from "../../protocol/errors.js";
import { LIST_BODY_BYTES_MAX } from "../../protocol/members/list-message.js";
import { listHash, parseMemberList } from "../../protocol/members/member-list.js";
import type { KnownList } from "../../protocol/members/succession.js";
import { readBody, signedPieces } from "../../protocol/version-2/envelope.js";
import { readHead } from "../../protocol/version-2/envelope-head.js";
import { refusalOf } from "../../store/judgement.js";

/** A list, and the envelope that proves it. */
export interface SignedList extends KnownList {
  readonly body: Buffer;
  readonly signature: Buffer;
}

/** A list; or whose signer's key may still come; or why it is none. */
export type CheckedList = SignedList | "unknown-signer" | { readonly refused: string };

/** As many daemons as tell each other apart: this one, and a bit of a number for each other. */
const DAEMONS_MOST = 32;

/** Whether it is the command that a list comes by, and is read by. */
export function isListCommand([name = "", sub = ""]: readonly ByteString[]): boolean {
  return sub.toUpperCase() === "MEMBERS" && name.toUpperCase() === "CLUSTER";
}

/** The buffers are kept: they must be no views of what is written over. */
export function checkList(body: Buffer, signature: Buffer, signers: SignersFace): CheckedList {
  return reading(() => check(body, signature, signers));
}

function reading(read: () => CheckedList): CheckedList {
  try {
    return read();
  } catch (problem) {
    if (problem instanceof MalformedFrame) return { refused: `malformed: ${problem.message}` };
    throw problem;
  }
}

/** Reads a list that peers go by, without its signature. The buffers are kept, as by `checkList`. */
export function readVouched(body: Buffer, signature: Buffer, cluster: ByteString): CheckedList {
  return reading(() => listAlone(body, signature, cluster));
}

function check(body: Buffer, signature: Buffer, signers: SignersFace): CheckedList {
  const { ring, cluster } = signers;
  if (body.length > LIST_BODY_BYTES_MAX) return { refused: TOO_LONG };
  const { key, at } = readHead(body);
  const signer = ring.find(key);
  if (signer === undefined) return "unknown-signer";
  if (!signers.verify(signer, { kind: "command", body, signature }, hashOf(...signedPieces(body))))
    return { refused: "its signature does not hold" };
  const list = listAlone(body, signature, cluster);
  if ("refused" in list) return list;
  const { commands, if: conditions, as } = readBody(body);
  const denial = refusalOf({ key, at, commands, conditions, as }, signer, ring);
  return denial === null ? list : { refused: denial.text };
}

const TOO_LONG = "it is too long";

/** The list of an envelope for a cluster that holds nothing else. @throws MalformedFrame */
function listAlone(
  body: Buffer,
  signature: Buffer,
  cluster: ByteString,
): SignedList | { readonly refused: string } {
  if (body.length > LIST_BODY_BYTES_MAX) return { refused: TOO_LONG };
  const { commands, cluster: meant, multi, if: conditions, only, as } = readBody(body);
  if (meant !== cluster) return { refused: "it is for another cluster" };
  if (multi || conditions !== null || only !== null || as !== null || commands.length !== 1)
    return { refused: "it does not stand alone in its envelope" };
  return listIn(commands[0] as readonly ByteString[], body, signature);
}

/** What is in an envelope that was checked. */
export function listOf(body: Buffer, signature: Buffer): SignedList | { readonly refused: string } {
  return listIn(readBody(body).commands[0] ?? [], body, signature);
}

function listIn(
  argv: readonly ByteString[],
  body: Buffer,
  signature: Buffer,
): SignedList | { readonly refused: string } {
  const [, , text] = argv;
  if (text === undefined || argv.length !== 3 || !isListCommand(argv))
    return { refused: "it holds no list of members" };
  const list = parseMemberList(text);
  if (typeof list === "string") return { refused: list };
  if (list.members.length > DAEMONS_MOST) return { refused: `a cluster has at most ${DAEMONS_MOST} daemons` };
  return { list, hash: listHash(text, hashOf), body, signature };
}
