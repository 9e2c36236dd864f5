/**
 * Names that MongoDB 7.0 knows, whether or not this server supports them: an unsupported name is rejected as
 * NotImplemented, a misspelt one with MongoDB's own error.
 */
import type { ByteString } from "../../../../protocol/byte-string.js";
import { type MongoFailure, notImplemented } from "./mongo-failure.js";

const named = (names: string): ReadonlySet<ByteString> => new Set(names.split(" ").map((name) => `$${name}`));

const FILTERS = named(
  "where expr text jsonSchema geoWithin geoIntersects near nearSphere bitsAllClear bitsAllSet bitsAnyClear bitsAnySet rand sampleRate",
);
const UPDATES = named("bit");
const STAGES = named(
  "addFields bucket bucketAuto changeStream changeStreamSplitLargeEvent collStats count currentOp densify documents facet fill geoNear " +
    "graphLookup indexStats listLocalSessions listSearchIndexes listSessions merge out planCacheStats redact replaceRoot replaceWith " +
    "sample search searchMeta set setWindowFields shardedDataDistribution sortByCount unionWith unset vectorSearch",
);
const ACCUMULATORS = named(
  "accumulator bottom bottomN firstN lastN maxN median mergeObjects minN percentile stdDevPop stdDevSamp top topN addToSet avg count first last max min push sum",
);
const EXPRESSIONS = named(
  "abs accumulator acos acosh add addToSet allElementsTrue and anyElementTrue arrayElemAt arrayToObject asin asinh atan atan2 atanh avg " +
    "binarySize bitAnd bitNot bitOr bitXor bsonSize ceil cmp concat concatArrays cond convert cos cosh dateAdd dateDiff dateFromParts " +
    "dateFromString dateSubtract dateToParts dateToString dateTrunc dayOfMonth dayOfWeek dayOfYear degreesToRadians divide eq exp filter " +
    "first firstN floor function getField gt gte hour ifNull in indexOfArray indexOfBytes indexOfCP isArray isNumber isoDayOfWeek isoWeek " +
    "isoWeekYear last lastN let literal ln log log10 lt lte ltrim map max maxN median mergeObjects meta min minN millisecond minute mod " +
    "month multiply ne not objectToArray or percentile pow radiansToDegrees rand range reduce regexFind regexFindAll regexMatch " +
    "replaceAll replaceOne reverseArray round rtrim sampleRate second setDifference setEquals setField setIntersection setIsSubset " +
    "setUnion sin sinh size slice sortArray split sqrt stdDevPop stdDevSamp strLenBytes strLenCP strcasecmp substr substrBytes substrCP " +
    "subtract sum switch tan tanh toBool toDate toDecimal toDouble toInt toLong toLower toObjectId toString toUpper trim trunc tsIncrement " +
    "tsSecond type unsetField week year zip",
);

const KINDS = {
  filter: FILTERS,
  update: UPDATES,
  stage: STAGES,
  accumulator: ACCUMULATORS,
  expression: EXPRESSIONS,
} as const;

/** Operators whose results only a client can calculate. */
const LEFT_TO_CLIENTS = named(
  "acos acosh asin asinh atan atan2 atanh bitsAllClear bitsAllSet bitsAnyClear bitsAnySet cos cosh degreesToRadians exp ln log log10 " +
    "radiansToDegrees sin sinh stdDevPop stdDevSamp tan tanh",
);

/** Alternatives to unsupported features and to fields of commands; docs/mongo-collections.md lists them. */
const INSTEAD: ReadonlyMap<ByteString, string> = new Map([
  ...[...LEFT_TO_CLIENTS].map((name) => [name, "calculate it in the client"] as const),
  ["$documents", "read the documents from a collection"],
  ["$redact", "use $match and $project"],
  ["$sampleRate", "use $sample"],
  ["2d indexes", "use GEOSEARCH of the Redis commands"],
  ["2dsphere indexes", "use GEOSEARCH of the Redis commands"],
  ["hashed indexes", "create the index with 1"],
  ["text indexes", "use $regex, or a search engine"],
  ["collMod", "drop the index or collection, and create it again"],
  ["mapReduce", "use aggregate with $group"],
  ["$bucket", "group by a $switch or by $floor of a $divide"],
  ["$bucketAuto", "group by a $switch or by $floor of a $divide"],
  ["$collStats", "send the command collStats, or count the documents"],
  ["$changeStream", "with dbsyncd's own client, watch() the key mongo:DATABASE.COLLECTION"],
  ["$densify", "add the missing documents in the client"],
  ["$facet", "send one pipeline for each facet"],
  ["$fill", "use $ifNull, or fill in the client"],
  ["$geoIntersects", "use GEOSEARCH of the Redis commands"],
  ["$geoNear", "use GEOSEARCH of the Redis commands"],
  ["$geoWithin", "use GEOSEARCH of the Redis commands, or compare longitude and latitude"],
  ["$graphLookup", "look up level by level, one $lookup each"],
  ["$indexStats", "list the indexes, and see by explain which one a query uses"],
  ["$jsonSchema", "check documents in the client, as mongoose does"],
  ["$listLocalSessions", "see clients in dbsync top, or on the dashboard"],
  ["$merge", "read the result, and write it by bulkWrite with upserts"],
  ["$near", "use GEOSEARCH of the Redis commands"],
  ["$nearSphere", "use GEOSEARCH of the Redis commands"],
  ["$out", "read the result, and insert it into the other collection"],
  ["$pow", "use $multiply, or calculate it in the client"],
  ["$search", "use $regex, or a search engine"],
  ["$setWindowFields", "calculate it in the client"],
  ["$text", "use $regex, or a search engine"],
  ["$unionWith", "send one pipeline for each collection"],
  ["$vectorSearch", "use a search engine"],
  ["$where", "use $expr"],
  ["$function", "use operators of expressions"],
  ["$accumulator", "use $push, and calculate in the client"],
  ["capped", "create an index with expireAfterSeconds"],
  ["collation", "store and query a field in lower case"],
  ["partialFilterExpression", "use a sparse index"],
  ["tailable", "with dbsyncd's own client, watch() the key mongo:DATABASE.COLLECTION"],
  ["timeseries", "use a plain collection, with an index on the time"],
  ["transactions", "put related data into one document, or write it with one bulkWrite on a collection"],
  ["validator", "check documents in the client, as mongoose does"],
  ["viewOn", "send the query from the program"],
]);

/** Returns the error for a name that MongoDB knows and this server does not support. */
export function missing(name: ByteString): MongoFailure {
  return notImplemented(`${name} is not supported by this server${alternativeTo(name)}`);
}

/** Returns the end of an error, with the alternative to an unsupported feature or field if there is one. */
export function alternativeTo(name: ByteString): string {
  const instead = INSTEAD.get(name);
  return instead === undefined ? "" : `: ${instead}`;
}

/**
 * Returns the error for a name that is not supported here.
 * @param slip MongoDB's error for a name that MongoDB does not know either
 */
export function unknownName(kind: keyof typeof KINDS, name: ByteString, slip: MongoFailure): MongoFailure {
  return KINDS[kind].has(name) ? missing(name) : slip;
}
