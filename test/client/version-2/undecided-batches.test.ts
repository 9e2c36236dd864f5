/**
 * Tests when a client of several daemons gives up those that hang, because another one could not let the members
 * decide.
 */
import assert from "node:assert/strict";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { test } from "node:test";
import type { OutboxClient } from "../../../client/outbox-client.js";
import { KNOWS_DECISIONS, KNOWS_SIGNED } from "../../../protocol/version-2/messages-v2.js";
import { until } from "../../support/until.js";
import { HandClock } from "../hand-clock.js";
import { client2Of, ServedDaemon } from "../served-daemon.js";
import { errorOf, recordOutcomes, summary } from "../test-client.js";

type Three = [ServedDaemon, ServedDaemon, ServedDaemon];

interface Scene extends AsyncDisposable {
  readonly daemons: Three;
  readonly client: OutboxClient;
  readonly clock: HandClock;
}

/** Starts three members, of which the first refuses each envelope, and the other ones have only sent their hellos. */
async function start(code = "undecided"): Promise<Scene> {
  const daemons = (await Promise.all([1, 2, 3].map((id) => ServedDaemon.start({ id })))) as Three;
  for (const { daemon } of daemons) {
    daemon.knows = [KNOWS_SIGNED, KNOWS_DECISIONS];
    daemon.members = 2;
  }
  const clock = new HandClock();
  const client = client2Of(daemons, { versions: "2", clock });
  await client.send("PING", { policy: "all" });
  daemons[0].daemon.refusal = { code, effect: code === "undecided" ? "unknown" : "not-applied" };
  for (const daemon of daemons.slice(1)) daemon.passes = () => [];
  const end = async () => {
    client.close();
    await Promise.all(daemons.map((daemon) => daemon[Symbol.asyncDispose]()));
  };
  return { daemons, client, clock, [Symbol.asyncDispose]: end };
}

/** Makes a call, and returns its promise when the client has received the refusal. */
async function callRefused({ client, clock }: Scene, command: string): Promise<{ call: Promise<unknown> }> {
  using outcomes = recordOutcomes();
  clock.advance(1);
  const call = client.send(command);
  call.catch(() => {});
  await until("the refusal", () => outcomes.recorded.some(({ stage }) => stage === "refused"));
  return { call };
}

for (const [code, first] of [
  ["undecided", "refused unknown"],
  ["cannot-decide", "refused not-applied"],
] as const)
  for (const command of ["SET a 1", "SET a 1 NX"])
    test(`${command} fails a second after it was sent if one daemon answers ${code} and the others hang`, async () => {
      await using scene = await start(code);
      for (const again of [false, true]) {
        const { call } = await callRefused(scene, command);
        scene.clock.advance(1000);
        const failure = await errorOf(call);
        assert.equal(failure.effect, "unknown", `again: ${again}`);
        assert.deepEqual(failure.outcomes.map(summary), [
          first,
          "not-awaited unknown",
          "not-awaited unknown",
        ]);
      }
    });

test("a call continues to wait for a daemon that answers a hello, and receives its answer", async () => {
  await using scene = await start();
  const { daemons, clock } = scene;

  // This daemon withholds its result, and answers the hello a millisecond after the refusal.
  daemons[1].passes = (answers) => {
    clock.time++;
    return answers.filter((answer) => answer.includes("hello"));
  };

  const greeted: unknown[] = [];
  const note = (message: unknown) => void greeted.push(message);
  subscribe("dbsync:version", note);
  const { call } = await callRefused(scene, "SET a 1");
  await until("the answer to the hello", () => greeted.length === 1);
  unsubscribe("dbsync:version", note);

  clock.advance(2000);
  daemons[1].passes = (answers) => answers;
  daemons[1].disconnect();
  assert.equal(await call, "OK");
});

test("another refusal does not end the wait for the other daemons", async () => {
  await using scene = await start("catching-up");
  const { call } = await callRefused(scene, "SET a 1");
  scene.clock.advance(2000);
  scene.daemons[1].passes = (answers) => answers;
  scene.daemons[1].disconnect();
  assert.equal(await call, "OK");
});
