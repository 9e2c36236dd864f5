/** Starts connected daemons with --sentinel. Each keeps its ports. */
import { freePort } from "../../../test/support/free-port.js";
import { askRedis } from "../../../test/support/redis-connection.js";
import { Trio } from "../../../test/support/trio.js";

export interface SentinelPair extends AsyncDisposable {
  readonly trio: Trio;
  readonly respPorts: readonly number[];
  readonly sentinelPorts: readonly number[];
  /** Returns the port that each running daemon names, in the order of the daemons; 0: none. */
  named(): Promise<number[]>;
  /** Waits until all running daemons name the same one. @returns its index */
  untilNamed(isWanted?: (index: number) => boolean): Promise<number>;
}

/**
 * @param more  further options of all daemons
 * @param name  the name of the master
 */
export async function startSentinels(
  count = 2,
  more: readonly string[] = [],
  name = "mymaster",
): Promise<SentinelPair> {
  const ports = () => Promise.all(Array.from({ length: count }, () => freePort()));
  const [respPorts, sentinelPorts] = [await ports(), await ports()];
  const args = (index: number) => [
    ...["--resp", String(respPorts[index]), "--sentinel", String(sentinelPorts[index]), ...more],
  ];
  const trio = await Trio.start(args, count, { keys: "none" });
  const named = () =>
    Promise.all(trio.runningIndices.map((index) => portNamedBy(sentinelPorts[index] ?? 0, name)));

  return {
    trio,
    respPorts,
    sentinelPorts,
    named,
    async untilNamed(isWanted = () => true) {
      let index = -1;
      await trio.until("all daemons name the same one", async () => {
        const [first = 0, ...others] = await named();
        index = respPorts.indexOf(first);
        return index >= 0 && others.every((port) => port === first) && isWanted(index);
      });
      return index;
    },
    [Symbol.asyncDispose]: () => trio[Symbol.asyncDispose](),
  };
}

/** Returns the port that a sentinel names, or 0 if it names none. */
export async function portNamedBy(sentinelPort: number, name: string): Promise<number> {
  const reply = await askRedis(sentinelPort, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", name);
  const [, port] = reply.kind === "array" ? reply.items : [];
  return port?.kind === "bulk" ? Number(port.bytes) : 0;
}
