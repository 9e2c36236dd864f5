/**
 * Implements `DEBUG PROTOCOL kind`, which returns a reply of each kind for tests of clients. Source: redis-server 7.0.
 */

import { custom } from "../../../daemon/store/arguments/command-errors.js";
import type { ByteString } from "../../../protocol/byte-string.js";
import {
  array,
  bulk,
  double,
  error,
  integer,
  map,
  NIL,
  type Reply,
  set,
  verbatim,
} from "../../../protocol/reply.js";
import { writeBulk } from "../../../protocol/resp/resp-writer.js";

const resp3 = (written: ByteString, plain: Reply): Reply => ({ kind: "resp3", written, plain });

const boolean = (value: boolean): Reply => resp3(value ? "#t\r\n" : "#f\r\n", integer(value ? 1 : 0));

const BIG_NUMBER = "1234567999999999999999999999999999999";
const POPULARITY = `|1\r\n${writeBulk("key-popularity")}*2\r\n${writeBulk("key:123")}:90\r\n`;
const AFTER_ATTRIBUTE = "Some real reply following the attribute";
const PUSH_FRAME = `>2\r\n${writeBulk("server-cpu-usage")}:42\r\n`;
const AFTER_PUSH = "Some real reply following the push reply";
const NUMBERS = [0, 1, 2];

const SAMPLES: Readonly<Record<string, Reply>> = {
  string: bulk("Hello World"),
  integer: integer(12345),
  double: double(3141 / 1000),
  bignum: resp3(`(${BIG_NUMBER}\r\n`, bulk(BIG_NUMBER)),
  null: NIL,
  array: array(NUMBERS.map(integer)),
  set: set(NUMBERS.map(integer)),
  map: map(NUMBERS.flatMap((number) => [integer(number), boolean(number === 1)])),
  attrib: resp3(POPULARITY + writeBulk(AFTER_ATTRIBUTE), bulk(AFTER_ATTRIBUTE)),
  push: resp3(PUSH_FRAME + writeBulk(AFTER_PUSH), error("ERR RESP2 is not supported by this command")),
  verbatim: verbatim("This is a verbatim\nstring"),
  true: boolean(true),
  false: boolean(false),
};

/** Returns the sample of a kind. @throws CommandFailure  there is no such kind */
export function sample(kind: ByteString): Reply {
  const name = kind.toLowerCase();
  if (!Object.hasOwn(SAMPLES, name))
    throw custom(
      `ERR Wrong protocol type name. Please use one of the following: ${Object.keys(SAMPLES).join("|")}`,
    );
  return SAMPLES[name] as Reply;
}
