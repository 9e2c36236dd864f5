/**
 * $lookup by equality: adds to each document the documents of another collection in which a field has the same value.
 */
import type { ByteString } from "../../../../protocol/byte-string.js";
import { STEP_ITEMS } from "../../../../protocol/steps.js";
import { stringAt } from "../queries/command-fields.js";
import { isAny, pathTo } from "../queries/document-paths.js";
import { mappedInSlices } from "../queries/long-evaluation.js";
import {
  costOf,
  heldCopy,
  holdRead,
  MongoFailure,
  notImplemented,
  produce,
  readCounted,
  spend,
  type Work,
} from "../queries/mongo-failure.js";
import { keyCounted } from "../queries/value-size.js";
import type { Bson, BsonDocument } from "../values/bson.js";
import { collectionAt, namespaceOf } from "./collection-names.js";
import { replaced } from "./stages/unwind-stage.js";
import { expiredBy } from "./ttl-indexes.js";
import { documentsAt, type Target } from "./update-and-delete.js";

/** Approximate memory of a document's key in addition to its bytes. */
const KEY_BYTES = 60;

/** Maximum number of different values at a path in one document. */
const KEYS_MAX = 100_000;

/** @throws CommandFailure */
export function lookedUp(
  spec: BsonDocument,
  target: Target,
): (documents: readonly BsonDocument[]) => Generator<void, readonly BsonDocument[]> {
  for (const name of spec.keys())
    if (!["from", "localField", "foreignField", "as"].includes(name))
      throw notImplemented(
        `$lookup with '${name}' is not supported: use localField and foreignField, then $unwind and $match`,
      );
  const [from, local, foreign, as] = ["from", "localField", "foreignField", "as"].map((name) =>
    stringAt(spec, name),
  ) as [ByteString, ByteString, ByteString, ByteString];
  const namespace = namespaceOf(target.namespace.database, from);
  const [localPath, foreignPath, asPath] = [pathTo(local), pathTo(foreign), pathTo(as)];
  const collection = collectionAt(target.data, namespace)?.value;
  const source = collection === undefined ? null : documentsAt(target, collection);
  const isExpired = collection === undefined ? null : expiredBy(collection, target.at);
  return function* (documents) {
    const others: BsonDocument[] = [];
    const byKey = new Map<ByteString, number[]>();
    for (const [, bytes] of source?.numbered() ?? []) {
      if (isExpired?.(bytes) === true) continue;
      spend(target.work, costOf(bytes));
      holdRead(target.work, bytes, null);
      const other = readCounted(bytes, target.work);
      const number = others.push(other) - 1;
      for (const key of keysAt(other, foreignPath, "both", target.work)) {
        const numbers = byKey.get(key);
        target.work.effort.hold(KEY_BYTES + key.length);
        if (numbers === undefined) byKey.set(key, [number]);
        else numbers.push(number);
      }
      if (others.length % STEP_ITEMS === 0 || target.work.effort.endsSlice()) yield;
    }
    return yield* mappedInSlices(documents, target.work, (document) => {
      const numbers = new Set<number>();
      for (const key of keysAt(document, localPath, "elements", target.work)) {
        const found = byKey.get(key) ?? [];
        spend(target.work, found.length);
        produce(target.work, found.length);
        for (const number of found) numbers.add(number);
      }
      const matches: Bson[] = [...numbers]
        .sort((a, b) => a - b)
        .map((number) => others[number] as BsonDocument);
      return heldCopy(target.work, replaced(document, asPath, matches));
    });
  };
}

/** Returns the keys at a path; a missing field counts as null. @throws CommandFailure if there are too many */
function keysAt(
  document: BsonDocument,
  path: readonly ByteString[],
  leaf: "both" | "elements",
  work: Work,
): ReadonlySet<ByteString> {
  const keys = new Set<ByteString>();
  const test = (value: Bson | undefined) => {
    if (keys.size === KEYS_MAX)
      throw new MongoFailure(146, `$lookup: a field of a document has at most ${KEYS_MAX} different values`);
    keys.add(keyCounted(value ?? null, work));
    return false;
  };
  isAny(document, { path, leaf, test, work });
  return keys;
}
