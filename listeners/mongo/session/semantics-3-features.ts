/**
 * The features of writes that need version 3 of the semantics. Until the cluster uses version 3, the daemon refuses
 * writes with these features before it records them. Otherwise the client would receive an error, but a switch to
 * version 3 that arrives late could still make the fold apply the write.
 */
import { type ByteString, textOfBytes } from "../../../protocol/byte-string.js";
import { documentBytes, element, int32 } from "../../../protocol/mongo/bson-document-writer.js";
import { MalformedBson, membersOf } from "../../../protocol/mongo/bson-members.js";
import { BSON } from "../../../protocol/mongo/bson-types.js";
import { NEEDS_SEMANTICS_3 } from "../../../store/queries/bson/command-fields.js";
import { EXTENDED_QUERY_SEMANTICS, FIRST_SEMANTICS } from "../../../store/semantics.js";
import type { DaemonInterface } from "../../daemon-interface.js";
import { type FailureCode, failure, MongoFailure } from "../messages/failure-codes.js";

const LENGTH_BYTES = 4;
const FILTERS = "arrayFilters";
/** Each statement with a later feature contains one of these strings. Statements without them need not be parsed. */
const FEATURE_STRINGS = [
  "$expr\0",
  "$bit\0",
  ".$",
  `${FILTERS}\0`,
  "\x04u\0",
  "\x04update\0",
  "let\0",
  "\x03fields\0",
];
/** The field of a statement by which the store accepts the features of version 3 in it. */
const DIALECT = element("dialect", int32(2));
/** The bytes at the end of a statement to which the field `dialect` was added. */
const DIALECT_END = `${DIALECT}\0`;

/** Returns a statement with the field `dialect`, or unchanged if the statement has the same meaning in every version. */
export function withDialect(statement: ByteString): ByteString {
  return featureOf(statement) === null
    ? statement
    : documentBytes(statement.slice(LENGTH_BYTES, -1) + DIALECT);
}

/**
 * Returns the name of a later feature of a statement, or null if it has none. Also returns null if the bytes are not a
 * document, because the store itself refuses them.
 */
function featureOf(statement: ByteString): string | null {
  if (!FEATURE_STRINGS.some((sign) => statement.includes(sign))) return null;
  try {
    return featureInStatement(Buffer.from(statement, "latin1"));
  } catch (problem) {
    if (problem instanceof MalformedBson) return null;
    throw problem;
  }
}

/** @throws MalformedBson */
function featureInStatement(statement: Buffer): string | null {
  const members = [...membersOf(statement)];
  // Paths that use array filters are positional, too.
  if (members.some(({ name }) => name === FILTERS)) return FILTERS;
  for (const { name, type, from, end } of members) {
    const value = statement.subarray(from, end);
    const feature = featureInMember(name, type, value);
    if (feature !== null) return feature;
  }
  return null;
}

/** Returns the later feature of a statement's member, or null if it has none. @throws MalformedBson */
function featureInMember(name: ByteString, type: number, value: Buffer): string | null {
  if (name === "let") return name;
  const isUpdate = name === "u" || name === "update";
  if (isUpdate && type === BSON.array) return "an update by a pipeline";
  if (type !== BSON.document) return null;
  if (isUpdate) return featureInUpdate(value);
  if (name === "fields") return value.includes("$") ? "'$' in a projection" : null;
  return (name === "q" || name === "query") && hasExpression(value) ? "$expr" : null;
}

function featureInUpdate(update: Buffer): string | null {
  for (const { name, type, from, end } of membersOf(update)) {
    if (name === "$bit") return name;
    if (!name.startsWith("$") || type !== BSON.document) continue;
    for (const { name: path } of membersOf(update.subarray(from, end)))
      if (path.includes(".$")) return `the positional path '${textOfBytes(path)}'`;
  }
  return null;
}

/** Returns whether a filter contains `$expr` at any depth. */
function hasExpression(filter: Buffer): boolean {
  const pending = [filter];
  for (let one = pending.pop(); one !== undefined; one = pending.pop())
    for (const { name, type, from, end } of membersOf(one)) {
      if (name === "$expr") return true;
      if (type === BSON.document || type === BSON.array) pending.push(one.subarray(from, end));
    }
  return false;
}

/** Returns the name of a later feature that a command of the store has, or null if it has none. */
function featureOfCommand([name = "", ...args]: readonly ByteString[]): string | null {
  if (name === "MDB.RENAME") return "renameCollection";
  if (name === "MDB.CREATEINDEXES") {
    const isExpiring = args.some((one) => one.includes("expireAfterSeconds\0"));
    return isExpiring ? "expireAfterSeconds" : null;
  }
  const statement = args.find((one) => one.endsWith(DIALECT_END));
  return statement === undefined ? null : featureOf(statement);
}

/** @throws MongoFailure  the command has a feature that this cluster does not have yet */
export function refuseLaterFeatures(argv: readonly ByteString[], daemon: DaemonInterface): void {
  const { semantics } = daemon;
  // A daemon that is catching up does not know the version yet, and accepts no writes.
  if (semantics === null || semantics >= EXTENDED_QUERY_SEMANTICS || daemon.state === "catching-up") return;
  const feature = featureOfCommand(argv);
  if (feature !== null) throw notYet(feature, argv, daemon);
}

/** Returns the failure of a write. If its feature needs a later version, the failure names the feature. */
export function withFeatureName(
  problem: unknown,
  argv: readonly ByteString[],
  daemon: DaemonInterface,
): unknown {
  if (!(problem instanceof MongoFailure && problem.sentence.includes(NEEDS_SEMANTICS_3))) return problem;
  const feature = featureOfCommand(argv);
  return feature === null ? problem : notYet(feature, argv, daemon);
}

function notYet(feature: string, [name]: readonly ByteString[], daemon: DaemonInterface): MongoFailure {
  const { settings, semantics } = daemon;
  const code: FailureCode = name === "MDB.RENAME" ? 8 : 40415;
  const needs = `${feature} requires version ${EXTENDED_QUERY_SEMANTICS} of the semantics`;
  if (semantics !== null && settings.rootKey.length === 0)
    return failure(
      code,
      `${needs}, which an administrator sets: the daemons of this cluster have no --root-key, and must have it at the first start of their data folders`,
    );
  const first = Math.min(semantics ?? FIRST_SEMANTICS, EXTENDED_QUERY_SEMANTICS - 1);
  const commands = Array.from({ length: EXTENDED_QUERY_SEMANTICS - first }, (_, i) =>
    switchTo(first + 1 + i),
  );
  return failure(
    code,
    `${needs}: when all daemons run this release, an administrator sends ${commands.join(", then ")}`,
  );
}

const switchTo = (version: number) =>
  `dbsync send -k root-private.pem --policy all CLUSTER SEMANTICS ${version}`;
