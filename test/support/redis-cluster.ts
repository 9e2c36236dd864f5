/** A Redis Cluster for one test: real processes, three masters with one replica each. */

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "./free-port.js";
import { askRedis, textOf } from "./redis-connection.js";
import { type RedisServer, startRedis } from "./redis-server.js";
import { until } from "./until.js";

const MASTERS = 3;
const NODES = 2 * MASTERS;
const SLOTS = 16_384;
const NODE_TIMEOUT_MS = 3_000;

export class RedisCluster implements AsyncDisposable {
  /** The nodes; the first three start as masters, in the order of their slots. */
  readonly nodes: Node[];

  private constructor(nodes: Node[]) {
    this.nodes = nodes;
  }

  static async start(args: readonly string[] = []): Promise<RedisCluster> {
    const nodes = await Promise.all(Array.from({ length: NODES }, () => startNode(args)));
    const cluster = new RedisCluster(nodes);
    const first = nodes[0] as Node;

    for (const [i, { port }] of nodes.slice(0, MASTERS).entries()) {
      const [from, to] = [i, i + 1].map((part) => Math.ceil((part * SLOTS) / MASTERS)) as [number, number];
      assert.equal(await textOf(port, "CLUSTER", "ADDSLOTSRANGE", String(from), String(to - 1)), "OK");
      await askRedis(port, "CLUSTER", "SET-CONFIG-EPOCH", String(i + 1));
    }
    for (const { port, busPort } of nodes.slice(1))
      await askRedis(first.port, "CLUSTER", "MEET", "127.0.0.1", String(port), String(busPort));

    for (const [i, { port }] of nodes.entries()) {
      await until(
        "the node knows all nodes",
        async () => /cluster_known_nodes:6/.test(await textOf(port, "CLUSTER", "INFO")),
        { mayFail: true },
      );
      if (i < MASTERS) continue;

      const master = await cluster.idOf(nodes[i - MASTERS] as RedisServer);
      await until(
        "the node knows its master",
        async () => (await textOf(port, "CLUSTER", "REPLICATE", master)) === "OK",
        { mayFail: true },
      );
    }

    await cluster.complete();
    return cluster;
  }

  get ports(): number[] {
    return this.nodes.map(({ port }) => port);
  }

  async idOf({ port }: RedisServer): Promise<string> {
    return await textOf(port, "CLUSTER", "MYID");
  }

  /** Waits until every node reports that all slots are served, and every replica has the data of its master. */
  async complete(nodes: readonly Node[] = this.nodes): Promise<void> {
    for (const { port } of nodes) {
      await until(
        "the node reports that all slots are served",
        async () => /cluster_state:ok/.test(await textOf(port, "CLUSTER", "INFO")),
        { mayFail: true },
      );
      await until(
        "the replica is connected to its master",
        async () => /role:master|master_link_status:up/.test(await textOf(port, "INFO", "replication")),
        { mayFail: true },
      );
    }
  }

  /** Returns the master of a slot, according to a node. @param except  a node that is not queried */
  async masterOf(slot: number, except?: Node): Promise<Node> {
    const queried = this.nodes.find((node) => node !== except) as Node;
    const reply = await askRedis(queried.port, "CLUSTER", "SLOTS");
    assert.ok(reply.kind === "array");
    for (const range of reply.items) {
      assert.ok(range.kind === "array");
      const [from, to, master] = range.items;
      assert.ok(from?.kind === "integer" && to?.kind === "integer" && master?.kind === "array");
      const port = master.items[1]?.kind === "integer" ? Number(master.items[1].value) : 0;
      if (slot >= Number(from.value) && slot <= Number(to.value))
        return this.nodes.find((node) => node.port === port) as Node;
    }
    throw new Error(`no node has slot ${slot}`);
  }

  /** Restarts a killed node with its stored cluster state, so it becomes a replica. */
  async startAgain(node: Node): Promise<void> {
    await node.stop();
    // The replica must not become a master until it has the data.
    const args = [...node.args, "--cluster-replica-no-failover", "yes"];
    const restarted = await startRedis({ port: node.port, args });
    this.nodes[this.nodes.indexOf(node)] = { ...node, ...restarted };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.stop()));
    for (const { folder } of this.nodes) rmSync(folder, { recursive: true, force: true });
  }
}

export interface Node extends RedisServer {
  readonly busPort: number;
  readonly folder: string;
  readonly args: readonly string[];
}

async function startNode(more: readonly string[]): Promise<Node> {
  const busPort = await freePort();
  const folder = mkdtempSync(join(tmpdir(), "dbsync-node-"));
  const args = [
    ...["--dir", folder],
    ...["--cluster-enabled", "yes", "--cluster-port", String(busPort)],
    ...["--cluster-node-timeout", String(NODE_TIMEOUT_MS), "--cluster-replica-validity-factor", "0"],
    ...["--repl-diskless-sync-delay", "0", "--repl-ping-replica-period", "1"],
    ...more,
  ];
  return { ...(await startRedis({ args })), busPort, folder, args };
}
