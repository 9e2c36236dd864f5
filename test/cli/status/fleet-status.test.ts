/** `dbsync status json://…`: what daemons of --json-replica say of each other. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { diagnoseFleet, type FleetStatus, withRivals } from "../../../cli/status/fleet-status.js";
import type { FleetFigures, FleetServer } from "../../../protocol/json/fleet-figures.js";
import { runDbsync } from "../../client/child.js";
import { until } from "../../daemon/replicas.js";
import { ask, startJson } from "../../listeners/json/scene.js";
import { freePort, refusingAddress } from "../../support/free-port.js";
import { RawClient } from "../../support/raw-client.js";

const SERVER: FleetServer = {
  replica: "10.0.0.2:8888",
  isConnected: true,
  hasGiven: true,
  isLeader: true,
  missing: 0,
  refused: 0,
  different: 0,
};
const WELL: FleetFigures = {
  isReady: true,
  isLeading: false,
  term: 1,
  isLevel: true,
  refused: 0,
  servers: [SERVER],
};

const shown = (fleet: Partial<FleetFigures>) => {
  const { problems, remarks } = diagnoseFleet({ ...WELL, ...fleet });
  const told = (grade: string, all: typeof problems) =>
    all.map(({ text, fix }) => `${grade} ${text}; ${fix}`);
  return [...told("FAIL", problems), ...told("WARN", remarks)].join("\n");
};
const withServer = (server: Partial<FleetServer>) => ({ servers: [{ ...SERVER, ...server }] });

test("what is well is not talked about", () => {
  assert.equal(shown({}), "");
  assert.equal(shown({ isLeading: true, ...withServer({ isLeader: false }) }), "");
});

for (const [name, fleet, expected] of [
  [
    "documents that it refuses",
    { refused: 1, isLevel: false },
    /^FAIL it refuses 1 document of .*max-output-bytes.*$/,
  ],
  ["what it has not yet", { isLevel: false }, /^WARN it has not yet all .*; wait/],
  ["that it follows nobody", withServer({ isLeader: false }), /^FAIL it follows none of its list/],
  [
    "a server that is away",
    withServer({ isConnected: false, missing: 3 }),
    /^FAIL it does not reach 10\.0\.0\.2:8888; start.*$/,
  ],
  ["what a server lacks", withServer({ missing: 3 }), /^WARN 10\.0\.0\.2:8888 lacks 3 documents; wait/],
  [
    "what a server refuses",
    withServer({ missing: 3, refused: 2 }),
    /^FAIL 10\.0\.0\.2:8888 refuses 2 documents; its log.*$/,
  ],
  [
    "what was different",
    withServer({ different: 1 }),
    /^WARN 10\.0\.0\.2:8888 had other contents of 1 document /,
  ],
] as const)
  test(`it says ${name}, and what to do`, () => assert.match(shown(fleet), expected));

test("two of a list that lead are told of", () => {
  const leading = (address: string, other: string): FleetStatus => ({
    address,
    ok: true,
    problems: [],
    remarks: [],
    fleet: { ...WELL, isLeading: true, ...withServer({ replica: other, isLeader: false }) },
  });
  const [one, two] = [leading("10.0.0.1:8888", "10.0.0.2:8888"), leading("10.0.0.2:8888", "10.0.0.1:8888")];
  const told = withRivals(one, [one, two]);
  assert.equal(told.ok, false);
  assert.match(told.problems[0]?.text ?? "", /^it leads, and so does 10\.0\.0\.2:8888/);
  assert.equal(withRivals(one, [one]), one);
});

test("it shows who leads, who is behind, and ends with 1 if something is wrong", async () => {
  const port = await freePort();
  await using first = await startJson({ replicas: [port] });
  const second = await startJson({ port, replicas: [first.port] });
  using client = await RawClient.open(first.port);
  let n = 0;
  const write = () => ask(client, { action: "create", document: `d${n++}` });
  await until("a write reaches both", async () => (await write()).includes('"replicated":true'));
  const urls = [`json://127.0.0.1:${first.port}`, `json://127.0.0.1:${port}`];
  let told = await runDbsync(["status", ...urls]);
  await until("both have all", async () => {
    if (told.code !== 0) told = await runDbsync(["status", ...urls]);
    return told.code === 0;
  });
  const { stdout, stderr } = told;
  assert.equal(stderr, "", stdout);
  const rows = stdout.trimEnd().split("\n");
  assert.equal(rows.length, 7);
  assert.match(rows[0] ?? "", /^FLEET OF +LEADER +TERM +LEVEL +REFUSES$/);
  assert.match(rows[1] ?? "", new RegExp(`^\\S+:${first.port} +this +1 +yes +0$`));
  assert.match(rows[2] ?? "", new RegExp(`^\\S+:${port} +\\S+:${first.port} +1 +yes +0$`));
  assert.match(rows[4] ?? "", /^SEEN BY +SERVER +STATE +MISSING +REFUSED +DIFFERENT$/);
  assert.match(rows[5] ?? "", new RegExp(`^\\S+:${first.port} +\\S+:${port} +online +0 +0 +0$`));
  assert.match(rows[6] ?? "", new RegExp(`^\\S+:${port} +\\S+:${first.port} +online +0 +0 +0$`));
  await second[Symbol.asyncDispose]();
  await write();
  await until("it is told to be away, and what it lacks", async () => {
    const away = await runDbsync(["status", urls[0] as string, "--json"]);
    const { daemons, fleets } = JSON.parse(away.stdout) as {
      readonly daemons: readonly unknown[];
      readonly fleets: readonly { readonly ok: boolean; readonly fleet: FleetFigures }[];
    };
    assert.deepEqual([daemons.length, fleets.length], [0, 1]);
    const [first] = fleets;
    const servers = first?.fleet.servers.map(({ isConnected, missing }) => [isConnected, missing]);
    return away.code === 1 && first?.ok === false && JSON.stringify(servers) === "[[false,1]]";
  });
});

test("who does not tell, has nothing to tell, or is not there is told of", async () => {
  await using second = await startJson({ users: ["user default on nopass ~* +@read"] });
  await using plain = await startJson();
  const told = await runDbsync([
    "status",
    ...[second, plain].map((one) => `json://127.0.0.1:${one.port}`),
    `json://${await refusingAddress()}`,
  ]);
  assert.equal(told.code, 1);
  assert.match(
    told.stdout,
    new RegExp(`\\nFAIL {2}\\S+:${second.port}: it does not tell .*NOPERM.*; name a user`),
  );
  assert.match(
    told.stdout,
    new RegExp(`\\nWARN {2}\\S+:${plain.port}: it has no --json-replica; start it with`),
  );
  assert.match(told.stdout, /\nFAIL {2}\S+: it cannot be asked .*; is it running\?/);
});
