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

const each = (names: string, instead: string): (readonly [ByteString, string])[] =>
  names.split(" ").map((name) => [name, instead] as const);

const WATCHED = "with dbsyncd's own client, watch() the key mongo:DATABASE.COLLECTION";
const EXPIRING = "create an index with expireAfterSeconds";
const SEARCHED = "use $regex, or a search engine";
const PLACES = "use GEOSEARCH of the Redis commands";
const USERS_IN_FILE = "users are defined in the file of --acl-file";
const CAUSAL = "write with w, the number of daemons that must have the write";

/** Alternatives to commands of MongoDB that are not supported, or the reason why none is needed. */
const INSTEAD_OF_COMMANDS: readonly (readonly [ByteString, string])[] = [
  ["collMod", "drop the index or collection, and create it again"],
  ["mapReduce", "use aggregate with $group"],
  ["profile", "no profile is stored; see dbsync top, or the metrics of --admin"],
  ...each("convertToCapped cloneCollectionAsCapped", `capped collections are not supported; ${EXPIRING}`),
  ["currentOp", "see clients in dbsync top, or on the dashboard"],
  ["killOp", "a command ends when its client disconnects"],
  ["top", "see dbsync top, or the metrics of --admin"],
  ...each("hostInfo connPoolStats", "see INFO of the Redis commands, or the metrics of --admin"),
  ...each(
    "getLog logRotate setParameter getParameters",
    "the daemon writes its log to standard output; its options are those of dbsyncd --help",
  ),
  ["validate", "check a data folder by dbsync log verify"],
  ...each("compact reIndex", "no collection needs this"),
  ["dataSize", "send the command collStats"],
  ...each(
    "planCacheClear planCacheClearFilters planCacheListFilters planCacheSetFilter",
    "the daemon stores no plans",
  ),
  ...each("fsync fsyncUnlock", "start the daemon with --fsync always; dbsync backup copies its data"),
  ["listCommands", "docs/mongo.md lists the commands"],
  ["shutdown", "stop the daemon's process"],
  ...each(
    "usersInfo createUser updateUser dropUser dropAllUsersFromDatabase grantRolesToUser revokeRolesFromUser rolesInfo createRole updateRole dropRole",
    USERS_IN_FILE,
  ),
  ...each(
    "replSetGetStatus replSetGetConfig replSetInitiate replSetReconfig replSetStepDown",
    "see dbsync status and dbsync members",
  ),
  ...each("listShards addShard enableSharding shardCollection", "each daemon has all data"),
];

/** Alternatives to fields of commands, by the name of the field, or of the command or document and the field. */
const INSTEAD_OF_FIELDS: readonly (readonly [ByteString, string])[] = [
  ["capped", `${EXPIRING}, because capped collections are not supported`],
  ...each(
    "create.size create.max",
    `only capped collections have a size, and these are not supported; ${EXPIRING}`,
  ),
  ["collation", "store and query a field in lower case"],
  ["validator", "check documents in the client, as mongoose does"],
  ...each("viewOn create.pipeline", "send the query from the program, because views are not supported"),
  ["timeseries", "use a plain collection, with an index on the time"],
  ["create.expireAfterSeconds", `only time series collections have it; ${EXPIRING}`],
  ["clusteredIndex", "omit it: documents are found by _id without it"],
  ...each("storageEngine indexOptionDefaults", "omit it: there is only one storage"),
  ["changeStreamPreAndPostImages", WATCHED],
  ["encryptedFields", "encrypt the values in the client"],
  ...each("tailable awaitData oplogReplay", WATCHED),
  ["showRecordId", "use _id, because documents have no other ids"],
  ["aggregate.explain", "send the command explain"],
  ["term", "omit it: only members of a replica set use it"],
  ["partialFilterExpression", "use a sparse index"],
  ...each(
    "weights default_language language_override textIndexVersion",
    `text indexes are not supported; ${SEARCHED}`,
  ),
  ...each(
    "bits 2dsphereIndexVersion bucketSize createIndexes.indexes.min createIndexes.indexes.max",
    `indexes of places are not supported; ${PLACES}`,
  ),
  ["wildcardProjection", "create an index for each field"],
  ["hidden", "drop the index"],
  ...each("clustered prepareUnique", "create the index with unique, or drop it and create it again"),
  ["c", "use let"],
  ["sort", "use findAndModify with a sort"],
  ...each("afterClusterTime atClusterTime afterOpTime", CAUSAL),
];

/** Alternatives to unsupported features and to fields of commands; docs/mongo-collections.md lists them. */
const INSTEAD: ReadonlyMap<ByteString, string> = new Map([
  ...INSTEAD_OF_COMMANDS,
  ...INSTEAD_OF_FIELDS,
  ...[...LEFT_TO_CLIENTS].map((name) => [name, "calculate it in the client"] as const),
  ["$documents", "read the documents from a collection"],
  ["$redact", "use $match and $project"],
  ["$sampleRate", "use $sample"],
  ["2d indexes", PLACES],
  ["2dsphere indexes", PLACES],
  ["wildcard indexes", "create an index for each field"],
  ["hashed indexes", "create the index with 1"],
  ["text indexes", SEARCHED],
  ["$bucket", "group by a $switch or by $floor of a $divide"],
  ["$bucketAuto", "group by a $switch or by $floor of a $divide"],
  ["$collStats", "send the command collStats, or count the documents"],
  ["$changeStream", WATCHED],
  ["$densify", "add the missing documents in the client"],
  ["$facet", "send one pipeline for each facet"],
  ["$fill", "use $ifNull, or fill in the client"],
  ["$geoIntersects", PLACES],
  ["$geoNear", PLACES],
  ["$geoWithin", `${PLACES}, or compare longitude and latitude`],
  ["$graphLookup", "look up level by level, one $lookup each"],
  ["$indexStats", "list the indexes, and see by explain which one a query uses"],
  ["$jsonSchema", "check documents in the client, as mongoose does"],
  ["$listLocalSessions", "see clients in dbsync top, or on the dashboard"],
  ["$merge", "read the result, and write it by bulkWrite with upserts"],
  ["$near", PLACES],
  ["$nearSphere", PLACES],
  ["$out", "read the result, and insert it into the other collection"],
  ["$pow", "use $multiply, or calculate it in the client"],
  ["$search", SEARCHED],
  ["$setWindowFields", "calculate it in the client"],
  ["$text", SEARCHED],
  ["$unionWith", "send one pipeline for each collection"],
  ["$vectorSearch", "use a search engine"],
  ["$where", "use $expr"],
  ["$function", "use operators of expressions"],
  ["$accumulator", "use $push, and calculate in the client"],
  ["transactions", "put related data into one document, or write it with one bulkWrite on a collection"],
]);

/** Returns the error for a name that MongoDB knows and this server does not support. */
export function missing(name: ByteString): MongoFailure {
  return notImplemented(`${name} is not supported by this server${alternativeTo(name)}`);
}

/**
 * Returns the end of an error, with the alternative to an unsupported feature or field if there is one.
 * @param where the command or document that contains the field
 */
export function alternativeTo(name: ByteString, where = ""): string {
  const instead = INSTEAD.get(`${where}.${name}`) ?? INSTEAD.get(name);
  return instead === undefined ? "" : `: ${instead}`;
}

/**
 * Returns the error for a name that is not supported here.
 * @param slip MongoDB's error for a name that MongoDB does not know either
 */
export function unknownName(kind: keyof typeof KINDS, name: ByteString, slip: MongoFailure): MongoFailure {
  return KINDS[kind].has(name) ? missing(name) : slip;
}
