/**
 * The claims of MDB.* commands: statements that take at most one document. A daemon records what each statement took,
 * so that it takes the same document at every other position. Source: docs/decisions/0066.
 */

import type { Unit } from "../../../../daemon/store/keyspace/unit.js";
import type { ByteString } from "../../../../protocol/byte-string.js";
import { documentOf, isJson, truthAt } from "../queries/command-fields.js";
import type { Scope } from "../queries/expressions.js";
import { MongoFailure } from "../queries/mongo-failure.js";
import { type Bson, type BsonDocument, BsonFault, DEPTH_MAX, Int32, isDocument } from "../values/bson.js";
import { readBson, readKnownBson } from "../values/bson-reader.js";
import { writeBson } from "../values/bson-writer.js";

/** A statement that takes at most one document. */
export interface Claim {
  /** The document that the statement took where a daemon answered it; undefined: the statement chooses. */
  readonly recorded: RecordedDocument | undefined;
  /** Returns the scope in which the statement chooses. */
  readonly scopeOf: <S extends Scope>(scope: S) => S;
  /** Reports the `_id` of the document that the statement has taken. */
  readonly take: (id: Bson, how: "chosen" | "inserted") => void;
}

export interface RecordedDocument {
  readonly id: Bson;
  /** Whether the filter chose at random (`$rand`), so that it cannot be tried again. */
  readonly isRandom: boolean;
}

/** What a statement took: a document; nothing; or nothing because it failed. */
type Outcome = RecordedDocument | null | MongoFailure;

const same = <S extends Scope>(scope: S): S => scope;
const unneeded = () => {};
const CHOOSES: Claim = { recorded: undefined, scopeOf: same, take: unneeded };
/** The recorded outcome of a statement that took nothing. */
const NOTHING = "";

/**
 * Runs a statement that takes at most one document: as recorded, if a daemon has recorded what it took.
 * @param index the statement's index in the command
 * @param nothing the result of a statement that takes nothing
 * @throws CommandFailure
 */
export function claimed<Result>(
  { choice, taken }: Unit,
  index: number,
  nothing: Result,
  run: (claim: Claim) => Result,
): Result {
  if (choice !== undefined) {
    const outcome = outcomeIn(choice[index] ?? NOTHING);
    if (outcome === null) return nothing;
    if (outcome instanceof MongoFailure) throw outcome;
    return run({ ...CHOOSES, recorded: outcome });
  }
  return taken === undefined ? run(CHOOSES) : recorded(taken, index, run);
}

/** @param taken receives the outcome at `index` */
function recorded<Result>(taken: ByteString[], index: number, run: (claim: Claim) => Result): Result {
  let outcome = NOTHING;
  let isRandom = false;
  const scopeOf = <S extends Scope>(scope: S): S => ({
    ...scope,
    choose: (below: number) => {
      isRandom = true;
      return scope.choose(below);
    },
  });
  const take: Claim["take"] = (id, how) => {
    outcome = written([["_id", id], ...(isRandom && how === "chosen" ? [["random", true] as const] : [])]);
  };

  try {
    return run({ recorded: undefined, scopeOf, take });
  } catch (failure) {
    if (failure instanceof MongoFailure) outcome = bytesOfFailure(failure);
    throw failure;
  } finally {
    // Statements before this one that take all matching documents are not claims.
    while (taken.length < index) taken.push(NOTHING);
    taken.push(outcome);
  }
}

/** The depth of an `_id`, or of a failure's values, in the document that is recorded. */
const OUTCOME_DEPTH = DEPTH_MAX + 2;

const written = (fields: readonly (readonly [ByteString, Bson])[]): ByteString =>
  writeBson(new Map(fields), { bytes: Number.POSITIVE_INFINITY, depth: OUTCOME_DEPTH });

const bytesOfFailure = ({ code, sentence, details }: MongoFailure): ByteString =>
  written([
    ["code", new Int32(code)],
    ["errmsg", sentence],
    ["details", details],
  ]);

function outcomeIn(bytes: ByteString): Outcome {
  const document = bytes === NOTHING ? null : readOutcome(bytes);
  if (document === null) return null;
  const [id, code, sentence] = ["_id", "code", "errmsg"].map((name) => document.get(name));
  if (id !== undefined) return { id, isRandom: truthAt(document, "random") };
  if (!(code instanceof Int32) || typeof sentence !== "string") return null;
  const details = document.get("details");
  return new MongoFailure(code.value, sentence, isDocument(details) ? details : new Map());
}

/** Returns null for bytes that no daemon of this version records. */
function readOutcome(bytes: ByteString): BsonDocument | null {
  try {
    return readBson(bytes);
  } catch (fault) {
    if (fault instanceof BsonFault) return null;
    throw fault;
  }
}

const MULTI: ReadonlySet<ByteString> = new Set(["multi"]);
const LIMIT: ReadonlySet<ByteString> = new Set(["limit"]);

/** Whether one of the statements of MDB.UPDATE takes at most one document. */
export const updatesOne = (argv: readonly ByteString[]): boolean =>
  argv.slice(4).some((statement) => !truthAt(fieldsOf(statement, MULTI), "multi"));

/** Whether one of the statements of MDB.DELETE takes at most one document. */
export const deletesOne = (argv: readonly ByteString[]): boolean =>
  argv.slice(4).some((statement) => truthAt(fieldsOf(statement, LIMIT), "limit"));

/** Returns some fields of a statement; none if it is malformed. */
function fieldsOf(statement: ByteString, only: ReadonlySet<ByteString>): BsonDocument {
  try {
    return isJson(statement) ? documentOf(statement) : readKnownBson(statement, only);
  } catch {
    return new Map();
  }
}
