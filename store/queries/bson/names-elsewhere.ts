/**
 * Names that MongoDB 7.0 knows, whether they are here or not: one that is not here is refused as NotImplemented, so that it is told
 * from a slip of the pen, which has the error that MongoDB has for it.
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import { type MongoFailure, notHere } from "./mongo-failure.js";

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

/** Returns why a name that is not here is refused. @param slip  what MongoDB says of a name that it does not know */
export function unknownName(kind: keyof typeof KINDS, name: ByteString, slip: MongoFailure): MongoFailure {
  return KINDS[kind].has(name) ? notHere(`${name} is not supported by this server`) : slip;
}
