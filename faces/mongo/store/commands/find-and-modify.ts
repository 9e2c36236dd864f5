/** MDB.FINDANDMODIFY: changes or removes one document, and returns its old or new contents. */

import type { Data } from "../../../../daemon/store/keyspace/mutators.js";
import type { Unit } from "../../../../daemon/store/keyspace/unit.js";
import type { ByteString } from "../../../../protocol/byte-string.js";
import type { Reply } from "../../../../protocol/reply.js";
import { documentAt, specOf, truthAt } from "../queries/command-fields.js";
import { failedToParse } from "../queries/mongo-failure.js";
import { projectionOf } from "../queries/projection.js";
import { type Bson, type BsonDocument, Int32 } from "../values/bson.js";
import { readKnownBson } from "../values/bson-reader.js";
import type { Found } from "./candidate-documents.js";
import { type Claim, claimed } from "./claimed-documents.js";
import { chosen } from "./find-and-count.js";
import { answered } from "./mdb-replies.js";
import {
  changedBy,
  changeOf,
  removed,
  type Target,
  takenBy,
  targetFor,
  upsertedBy,
  writingTargetOf,
} from "./update-and-delete.js";

const FIELDS = [
  ...["query", "sort", "remove", "update", "new", "fields", "upsert", "upsertId"],
  ...["let", "arrayFilters"],
];
const NOTHING: BsonDocument = new Map();

interface Taking {
  readonly claim: Claim;
  readonly shown: (document: BsonDocument) => BsonDocument;
}

interface Done {
  readonly value: BsonDocument | null;
  readonly lastError: BsonDocument;
}

/** `MDB.FINDANDMODIFY db collection spec` */
export function findAndModify(data: Data, argv: readonly ByteString[], unit: Unit): Reply {
  const request = argv[3] ?? "";
  const spec = specOf(request, FIELDS);
  const general = writingTargetOf(data, argv, unit);
  const isRemoval = truthAt(spec, "remove");
  const { value, lastError } = claimed(unit, 0, isRemoval ? NONE_REMOVED : NONE_CHANGED, (claim) => {
    const target = targetFor(claim.scopeOf(general), spec);
    const fields = documentAt(spec, "fields") ?? NOTHING;
    const project = fields.size === 0 ? null : projectionOf(fields, "find", target);
    // The reply is built before anything changes, because building it can fail too.
    const shown = (document: BsonDocument) => (project === null ? document : project(document));
    return isRemoval
      ? removedOne(target, spec, { claim, shown })
      : changedOne(target, spec, { claim, shown });
  });
  return answered(
    new Map<ByteString, Bson>([
      ["value", value],
      ["lastErrorObject", lastError],
    ]),
    request,
  );
}

function first(target: Target, spec: BsonDocument, claim: Claim): readonly Found[] {
  const query = documentAt(spec, "query") ?? NOTHING;
  const order = documentAt(spec, "sort") ?? NOTHING;
  const choose = () => chosen(target, query, order, { skip: 0, limit: 1 });
  return takenBy(target, query, claim, { isUpsert: truthAt(spec, "upsert"), choose });
}

function removedOne(target: Target, spec: BsonDocument, { claim, shown }: Taking): Done {
  for (const name of ["update", "new", "upsert"])
    if (name === "update" ? spec.has(name) : truthAt(spec, name))
      throw failedToParse(`Cannot specify both ${name} and remove=true`);
  const matches = first(target, spec, claim);
  const value = matches[0] === undefined ? null : shown(readKnownBson(matches[0].bytes));
  removed(target, matches);
  return { value, lastError: removals(matches.length) };
}

const removals = (n: number): BsonDocument => new Map([["n", new Int32(n)]]);

function changedOne(target: Target, spec: BsonDocument, { claim, shown }: Taking): Done {
  if (!spec.has("update")) throw failedToParse("Either an update or remove=true must be specified");
  const matches = first(target, spec, claim);
  const [old] = matches;
  const isNew = truthAt(spec, "new");
  const query = documentAt(spec, "query") ?? NOTHING;
  const change = changeOf(spec, "update", query);
  if (old !== undefined) {
    let value: BsonDocument | null = null;
    changedBy(target, matches, change, (last) => {
      value = shown(readKnownBson(isNew ? last : old.bytes));
    });
    return { value, lastError: lastError(1, true) };
  }
  if (!truthAt(spec, "upsert")) return NONE_CHANGED;

  let value: BsonDocument | null = null;
  const inserted = upsertedBy(target, change, spec.get("upsertId"), (document) => {
    if (isNew) value = shown(document);
  });
  claim.take(inserted.get("_id") as Bson, "inserted");
  return {
    value,
    lastError: new Map([...lastError(1, false), ["upserted", inserted.get("_id") as Bson]]),
  };
}

const lastError = (n: number, updatedExisting: boolean): BsonDocument =>
  new Map<ByteString, Bson>([
    ["n", new Int32(n)],
    ["updatedExisting", updatedExisting],
  ]);

const NONE_REMOVED: Done = { value: null, lastError: removals(0) };
const NONE_CHANGED: Done = { value: null, lastError: lastError(0, false) };
