/** A Redis Cluster behind the daemon: a lane for each slot; of commands without keys a table says what becomes of them. */

import type { RedisGroupSpecification } from "../../../options/addresses/redis-group-list.js";
import type { ByteString } from "../../../protocol/byte-string.js";
import { error } from "../../../protocol/reply.js";
import { ClusterNodes } from "./cluster-nodes.js";
import { oneSlotOf } from "./cluster-slots.js";
import { spreadOf } from "./cluster-spread.js";
import { DatabaseLog } from "./database-log.js";
import { ALL, type Finder, RedisGroupBackend, type Way } from "./group.js";
import { keysOf } from "./keys.js";
import { type Address, type Argv, RedisLink } from "./link.js";
import type { RedisBackendParts } from "./redis.js";
import { placeOf, type Turn } from "./turns.js";

class ClusterFinder implements Finder {
  readonly #nodes: ClusterNodes;
  #timeout: number;

  constructor(parts: RedisBackendParts<RedisGroupSpecification>) {
    const { specification, environment, waitReplicas = 0 } = parts;
    const { name, nodes: seeds } = specification;
    this.#timeout = parts.timeout;
    this.#nodes = new ClusterNodes({
      seeds,
      environment,
      log: new DatabaseLog(name, parts),
      link: (address, changed) =>
        new RedisLink({
          ...parts,
          name,
          access: specification,
          address,
          waitReplicas,
          changed,
          timeout: this.#timeout,
        }),
    });
  }

  start(): void {
    this.#nodes.start();
  }

  stop(): void {
    this.#nodes.stop();
  }

  get isUp(): boolean {
    return this.#nodes.isWhole;
  }

  get isWhole(): boolean {
    return this.#nodes.isWhole;
  }

  get server(): string {
    return this.#nodes.masters.map(({ address }) => placeOf(address)).join(",");
  }

  get timeout(): number {
    return this.#timeout;
  }

  set timeout(timeout: number) {
    this.#timeout = timeout;
    this.#nodes.timeout = timeout;
  }

  wayOf(commands: readonly Argv[]): Way {
    const keys: ByteString[] = [];
    for (const argv of commands) {
      const own = keysOf(argv);
      for (const key of own) keys.push(key);
      if (own.length > 0) continue;
      const spread = spreadOf(argv);
      if (spread.kind === "refused") return error(`ERR ${spread.reason}`);
      if (spread.kind === "all")
        return {
          kind: "spread",
          isBefore: spread.isBefore,
          run: () => spread.run(this.#nodes.masters, argv),
        };
    }
    return keys.length === 0 ? ALL : oneSlotOf(keys);
  }

  linkFor(lane: number, ask: Address | null): RedisLink | null {
    if (ask !== null) return this.#nodes.at(ask);
    if (lane !== ALL) return this.#nodes.ownerOf(lane);
    const link = this.#nodes.masters.find(({ isUp }) => isUp) ?? null;
    if (link === null) this.#nodes.askSoon();
    return link;
  }

  turned(turn: Turn): void {
    if (turn.kind === "moved") this.#nodes.moved(turn.slot, turn.address);
    else if (turn.kind === "later") this.#nodes.askSoon();
  }

  /** A signer's script is not to send the password, and other clients' commands, to a server of its choice. */
  believed(turn: Turn): Turn | null {
    return turn.kind === "later" || this.#nodes.knows(turn.address) ? turn : { kind: "later" };
  }

  reasonFor(lane: number): string {
    return this.#nodes.reasonFor(lane === ALL ? null : lane);
  }
}

export const redisCluster = (parts: RedisBackendParts<RedisGroupSpecification>): RedisGroupBackend =>
  new RedisGroupBackend(parts, new ClusterFinder(parts));
