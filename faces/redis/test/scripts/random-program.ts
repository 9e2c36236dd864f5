/**
 * Generates random Lua programs: commands of all families, conversions, libraries and errors. They avoid replies whose
 * order may differ between servers.
 */
import type { SeededRandom } from "../../../../test/support/seeded-random.js";

const KEYS = ["KEYS[1]", "KEYS[2]", "'k3'", "'k4'"];
const STRINGS = [
  "'a'",
  "'b'",
  "'12'",
  "'-7'",
  "'1.5'",
  "''",
  "'a b'",
  "'\\0\\255'",
  "ARGV[1]",
  "ARGV[2]",
  "string.rep('x', 70)",
];
const NUMBERS = ["0", "1", "-1", "3", "7.5", "1e15", "2^53", "-0.1", "#KEYS", "255", "1/3", "3000000000"];

export function randomProgram(random: SeededRandom): string {
  const lines: string[] = ["local r = {}"];
  if (random.chance(0.2)) lines.push("redis.setresp(3)");
  for (let count = random.between(1, 6); count > 0; count--) lines.push(statement(random, 2));
  lines.push(random.chance(0.8) ? "return r" : `return ${expression(random, 2)}`);
  return lines.join("\n");
}

function statement(random: SeededRandom, depth: number): string {
  const kind = random.below(10);
  if (kind < 6 || depth === 0) return `r[#r + 1] = ${shown(random, depth)}`;
  if (kind === 6)
    return `if ${expression(random, 1)} then ${statement(random, depth - 1)} else ${statement(random, depth - 1)} end`;
  if (kind === 7) return `for i = 1, ${random.between(0, 4)} do ${statement(random, depth - 1)} end`;
  if (kind === 8)
    return `do local ok, e = pcall(function() ${statement(random, depth - 1)} ${fault(random)} end) r[#r + 1] = tostring(ok) .. type(e) end`;
  return `r[#r + 1] = redis.pcall(${command(random)})`;
}

/** Returns an expression that can become a reply. */
function shown(random: SeededRandom, depth: number): string {
  return random.chance(0.5) ? `redis.call(${command(random)})` : expression(random, depth);
}

function fault(random: SeededRandom): string {
  return random.oneOf([
    "error('x')",
    "error({err = 'MY x'})",
    "local a = nil + 1",
    "redis.call('nosuch')",
    "redis.call('get')",
    "foo = 1",
    "return bar",
    "",
  ]);
}

function expression(random: SeededRandom, depth: number): string {
  if (depth === 0) return random.oneOf([...STRINGS, ...NUMBERS, "true", "false", "nil"]);

  const inner = () => expression(random, depth - 1);
  const number = () => random.oneOf(NUMBERS);
  const text = () => random.oneOf(STRINGS);

  return random.oneOf<() => string>([
    () => `{${inner()}, ${inner()}, ${inner()}}`,
    () => `{ok = ${text()}}`,
    () => `{err = ${text()}}`,
    () => `{double = ${number()}}`,
    () => `{map = {a = ${number()}}}`,
    () => `{set = {[${text()}] = true}}`,
    () => `{map = {a = {${number()}, {${text()}}}}}`,
    () => `(${number()}) ${random.oneOf(["+", "-", "*", "/", "%", "<", "==", ".."])} (${number()})`,
    () => `tostring(${number()})`,
    () => `tonumber(${text()})`,
    () => `tonumber(${text()}, ${random.between(2, 36)})`,
    () => `type(${inner()})`,
    () => `#${text()}`,
    () =>
      `string.format('%s|%d|%5.2f|%x|%g|%q', ${text()}, ${number()}, ${number()}, ${random.below(5e9)}, ${number()}, ${text()})`,
    () => `string.sub(${text()}, ${random.between(-3, 3)}, ${random.between(-3, 5)})`,
    () => `string.find(${text()}, ${text()}, 1, true)`,
    () => `(string.gsub(${text()}, '%w', ${random.oneOf(["'<%0>'", "{a = 'z'}", "string.upper"])}))`,
    () => `table.concat({${text()}, ${number()}}, ',')`,
    () => `select('#', ${inner()}, ${inner()})`,
    () => `math.floor(${number()})`,
    () => `cjson.encode({${inner()}, ${number()}})`,
    () => `cjson.encode({a = ${inner()}})`,
    () => `cjson.decode('[1,{"a":[null,true,"\\\\u00e9"]},-2.5e3]')[${random.between(1, 4)}]`,
    () => `cjson.decode(${text()})`,
    () => `cmsgpack.pack(${inner()}, ${number()})`,
    () => `{cmsgpack.unpack(cmsgpack.pack(${number()}, ${text()}))}`,
    () =>
      `struct.pack('${random.oneOf(["<", ">", ""])}${random.oneOf(["bBhHiIlL", "dfs", "i3c0", "!4bi"])}', 1, 2, 3, 4, 5, 6, 7, 8)`,
    () => `{struct.unpack('>hI', 'abcdef')}`,
    () => `bit.${random.oneOf(["band", "bor", "bxor"])}(${number()}, ${number()})`,
    () =>
      `bit.${random.oneOf(["lshift", "rshift", "arshift", "rol", "ror"])}(${number()}, ${random.below(40)})`,
    () => `bit.tohex(${number()}, ${random.between(-8, 8)})`,
    () => `redis.sha1hex(${text()})`,
    () => `redis.error_reply(${text()})`,
    () => `redis.status_reply(${text()})`,
  ])();
}

/** Returns the arguments of redis.call. */
function command(random: SeededRandom): string {
  const key = () => random.oneOf(KEYS);
  const value = () => random.oneOf([...STRINGS, ...NUMBERS]);
  const index = () => String(random.between(-3, 4));

  const shapes: readonly (() => readonly string[])[] = [
    () => ["'set'", key(), value()],
    () => ["'set'", key(), value(), "'EX'", "100", random.oneOf(["'NX'", "'XX'", "'GET'"])],
    () => ["'get'", key()],
    () => ["'getset'", key(), value()],
    () => ["'append'", key(), value()],
    () => ["'incr'", key()],
    () => ["'incrby'", key(), index()],
    () => ["'incrbyfloat'", key(), "0.5"],
    () => ["'setrange'", key(), String(random.below(5)), value()],
    () => ["'getrange'", key(), index(), index()],
    () => ["'mget'", key(), key()],
    () => ["'mset'", key(), value(), key(), value()],
    () => ["'del'", key()],
    () => ["'exists'", key(), key()],
    () => ["'type'", key()],
    () => ["'rename'", key(), key()],
    () => ["'persist'", key()],
    () => ["'expire'", key(), "100"],
    () => ["'ttl'", key()],
    () => ["'lpush'", key(), value(), value()],
    () => ["'rpush'", key(), value()],
    () => ["'lpop'", key()],
    () => ["'lrange'", key(), index(), index()],
    () => ["'linsert'", key(), "'BEFORE'", value(), value()],
    () => ["'lmove'", key(), key(), "'LEFT'", "'RIGHT'"],
    () => ["'hset'", key(), value(), value()],
    () => ["'hget'", key(), value()],
    () => ["'hincrby'", key(), value(), index()],
    () => ["'hmget'", key(), value(), value()],
    () => ["'hdel'", key(), value()],
    () => ["'sadd'", key(), value(), value()],
    () => ["'srem'", key(), value()],
    () => ["'sismember'", key(), value()],
    () => ["'scard'", key()],
    () => ["'zadd'", key(), index(), value()],
    () => ["'zadd'", key(), "'GT'", "'CH'", index(), value()],
    () => ["'zincrby'", key(), "1.5", value()],
    () => ["'zrange'", key(), "0", "-1", "'WITHSCORES'"],
    () => ["'zscore'", key(), value()],
    () => ["'zpopmin'", key()],
    () => ["'setbit'", key(), String(random.below(20)), "1"],
    () => ["'bitcount'", key()],
    () => ["'xadd'", key(), `'${random.between(1, 50)}-1'`, "'f'", value()],
    () => ["'xrange'", key(), "'-'", "'+'"],
    () => ["'xlen'", key()],
    () => ["'geoadd'", key(), "13.36", "38.11", value()],
    () => ["'select'", "0"],
    () => ["'ping'"],
    () => ["'echo'", value()],
    () => ["'blpop'", key(), "0"],
    () => ["'nosuch'", key()],
    () => ["'get'"],
  ];

  return random.oneOf(shapes)().join(", ");
}
