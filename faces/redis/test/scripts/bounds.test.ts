/** Tests that scripts that loop, allocate or recurse endlessly fail with an error, and that the service continues. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { writeCommand } from "../../../../protocol/resp/resp-writer.js";
import { some } from "../../../../test/support/amount.js";
import { until } from "../../../../test/support/until.js";
import { answers } from "../redis-comparison.js";
import { startResp } from "../scene.js";

const MIB = 1024 * 1024;
const limits = { luaTimeLimit: 100, luaMemory: 32 * MIB };
/** Limits for scripts that must not be ended by the time limit. */
const patient = { ...limits, luaTimeLimit: 60_000 };
const evaluated = (script: string) => writeCommand(["EVAL", script, "0"]);

/**
 * Checks that a short script still runs. On a busy machine the time limit may stop even that script; it is then sent
 * again.
 */
async function assertGoesOn(port: number, script = "return 'goes on'", reply = "$7\r\ngoes on\r\n") {
  let answered = "";
  await until("a short script is not stopped", async () => {
    answered = await answers(port, evaluated(script));
    return !/^-ERR .*Script stopped/.test(answered);
  });
  assert.ok(answered.startsWith(reply), answered);
}

const endless = [
  "while true do end",
  "while true do pcall(function() while true do end end) end",
  "local function f() return f() end return f()",
  "local c = coroutine.wrap(function() while true do end end) while true do pcall(c) end",
  "while true do redis.call('incr', 'k') end",
  "repeat until xpcall(function() while true do end end, function(m) return m end)",
  "while true do xpcall(function() error('x') end, function() while true do end end) end",
  "local function deeper(n) while true do coroutine.resume(coroutine.create(function() deeper(n + 1) end)) end end deeper(1)",
  "while true do redis.call('bitcount', 'k') end",
  "table.sort({1, 2, 3, 4}, function() while true do end end)",
  "while true do setmetatable({}, {__index = function() return 1 end}) end",
  // One call into C that does not return, and many calls that each take long.
  "return string.find(('a'):rep(40), ('a-'):rep(20) .. 'b')",
  "local t = {} for i = 1, 400000 do t[i] = i end while true do table.insert(t, 1, 0) end",
];

for (const script of endless)
  test(`the script is stopped: ${script}`, async () => {
    await using scene = await startResp({ limits });
    assert.match(
      await answers(scene.port, evaluated(script)),
      /^-ERR .*Script stopped: it ran for more than 100 ms \(lua-time-limit\)/,
    );
    await assertGoesOn(scene.port);
  });

const greedy = [
  "local t = {} for i = 1, 1e9 do t[i] = i end",
  "return string.rep('x', 1e9)",
  "local s = 'x' while true do s = s .. s end",
  "local t = {} while true do t = {t, string.rep('y', 1000)} end",
  "local t = {} for i = 1, 1e9 do t[i] = function() return i end end",
];

for (const script of greedy)
  test(`the script runs out of memory: ${script}`, async () => {
    await using scene = await startResp({ limits: patient });
    // The script needs a new machine, which has the settings of cjson too.
    const scripts = ["return cjson.encode_max_depth(3)", script, "return cjson.encode_max_depth()"];
    const all = await answers(scene.port, scripts.map(evaluated).join(""));
    assert.match(all, /^:3\r\n-ERR not enough memory script: \w+\r\n:3\r\n/);
  });

const manifold = [
  "local s, t = ('x'):rep(1000000), {} for i = 1, 100000 do t[i] = s end return t",
  "local t = {} for i = 1, 15 do t = {t, t, t, t, t, t} end return cmsgpack.pack(t)",
  "local t = {} for i = 1, 100 do t = {t, t} end return cjson.encode(t)",
  "local t = {} for i = 1, 100 do t = {t, t} end return t",
];

for (const script of some(manifold, 2))
  test(`the size of the script's values is limited: ${script}`, async () => {
    await using scene = await startResp({ limits: patient });
    const all = await answers(scene.port, evaluated(script) + evaluated("return 'goes on'"));
    assert.match(
      all,
      /^-ERR (not enough memory script: .*|the script used more memory .*)\r\n\$7\r\ngoes on\r\n/,
    );
  });

test("the daemon drops compiled scripts when a new script needs memory, and recompiles them", async () => {
  await using scene = await startResp({ limits: patient });
  const long = (seed: number) =>
    `local t = {${Array.from({ length: 30_000 }, (_, i) => `'${seed}_${i}'`).join()}} return ${seed}`;
  for (let seed = 0; seed < 12; seed++)
    assert.match(await answers(scene.port, writeCommand(["SCRIPT", "LOAD", long(seed)])), /^\$40\r\n/);
  assert.match(await answers(scene.port, evaluated(long(0))), /^:0\r\n/);
});

test("the daemon stores the latest scripts that were sent only with EVAL, up to a total length", async () => {
  await using scene = await startResp({ limits: patient });
  const long = (seed: number) => `return ${seed} --${"x".repeat(6 * MIB)}`;
  for (let seed = 0; seed < 4; seed++) await answers(scene.port, evaluated(long(seed)));
  const known = [0, 1, 2, 3].map((seed) => createHash("sha1").update(long(seed)).digest("hex"));
  assert.match(
    await answers(scene.port, writeCommand(["SCRIPT", "EXISTS", ...known])),
    /^\*4\r\n:0\r\n:0\r\n:1\r\n:1\r\n/,
  );
});

const deep = [
  ["local function f() return 1 + f() end return f()", /stack overflow/],
  [
    "local function f(n) return (string.gsub('x', 'x', function() return f(n + 1) end)) end return f(1)",
    /overflow/,
  ],
  ["local t = {} for i = 1, 5000 do t = {t} end return t", /reached lua stack limit/],
  ["return cjson.decode(string.rep('[', 100000))", /nested/],
  [`return ${"(".repeat(300)}1${")".repeat(300)}`, /syntax levels/],
  ["return string.find(string.rep('a', 300000), string.rep('a?', 300000) .. 'b')", /a deeper stack/],
] as const;

for (const [script, expected] of deep)
  test(`the depth is limited: ${script.slice(0, 80)}`, async () => {
    await using scene = await startResp({ limits: patient });
    const all = await answers(scene.port, evaluated(script) + evaluated("return 'goes on'"));
    assert.match(all, expected);
    assert.match(all, /\$7\r\ngoes on\r\n/);
  });

test("the scripts of one transaction share a time limit", async () => {
  await using scene = await startResp({ limits: { ...limits, luaTimeLimit: 300 } });
  const some = evaluated("local n = 0 repeat n = n + 1 until n == 3e6 return 'done'");
  const all = await answers(scene.port, writeCommand(["MULTI"]) + some.repeat(300) + writeCommand(["EXEC"]));
  assert.match(all, /-ERR Script stopped: it ran for more than 300 ms/);
  // A later script has the full time again.
  await assertGoesOn(scene.port);
  assert.ok(
    all.lastIndexOf("done") < all.indexOf("stopped"),
    "no script runs after the one that was stopped",
  );
});

test("a script cannot change the tables that all scripts see", async () => {
  await using scene = await startResp({ limits: patient });
  for (const table of ["_G", "redis", "string", "getmetatable(_G)", "getmetatable('')"])
    assert.match(
      await answers(scene.port, evaluated(`table.insert(${table}, 'x')`)),
      /^-ERR Attempt to modify a readonly table/,
    );
  assert.match(
    await answers(scene.port, evaluated("return {redis[1], string[1], rawget(_G, 1)}")),
    /^\*0\r\n/,
  );
});

test("a script must be source text: compiled chunks are refused", async () => {
  await using scene = await startResp({ limits: patient });
  assert.match(
    await answers(scene.port, evaluated("\x1bLuaQ")),
    /^-ERR Error compiling script \(new function\): user_script:1: unexpected symbol near 'char\(27\)'\r\n/,
  );
});

test("a reply with many nested lists leaves nothing on Lua's stack", async () => {
  await using scene = await startResp({ limits: patient });
  const many = "local t = {} for i = 1, 20000 do t[i] = {i} end return t";
  assert.ok((await answers(scene.port, evaluated(many))).includes("*1\r\n:20000\r\n"));
  const inMap = "redis.setresp(3) return {map = {a = {1}, b = {2}}}";
  assert.match(await answers(scene.port, evaluated(inMap)), /^\*4\r\n/);
});

test("a script cannot change how its connection's writes are answered", async () => {
  await using scene = await startResp({ limits: patient });
  const reply = await answers(scene.port, evaluated("return redis.call('dbsync', 'reply', 'stable')"));
  assert.match(reply, /^-ERR This Redis command is not allowed from script/);
});

test("a stopped script does not affect the next script", async () => {
  await using scene = await startResp({ limits });
  assert.match(await answers(scene.port, evaluated("while true do end")), /stopped/);
  await assertGoesOn(scene.port, "local n = 0 for i = 1, 100000 do n = n + 1 end return n", ":100000\r\n");
});
