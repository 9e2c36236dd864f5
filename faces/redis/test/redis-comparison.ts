/** Runs the same conversations with our listener and with a redis-server. */
import assert from "node:assert/strict";
import { writeCommand } from "../../../protocol/resp/resp-writer.js";
import { RawClient } from "../../../test/support/raw-client.js";
import { type RedisServer, startRedis } from "../../../test/support/redis-server.js";
import { type RespScene, type SceneOptions, startResp, withoutId } from "./scene.js";

/** The text of an ECHO after each conversation. Its reply follows the replies to all commands of the conversation. */
const END = "the end";
const ENDED = `$${END.length}\r\n${END}\r\n`;

/** Joins commands to lines. */
export const lines = (...commands: readonly string[]) => commands.map((command) => `${command}\r\n`).join("");

/**
 * Returns the answers up to the end mark, or until the other side closes the connection, which Redis may do with a
 * reset.
 */
export async function answers(port: number, bytes: string): Promise<string> {
  using client = await RawClient.open(port);
  client.send(bytes + writeCommand(["ECHO", END]));
  let all = "";
  while (!all.endsWith(ENDED)) {
    const more = await client.read(Math.max(1, client.received.length));
    if (more === "") return withoutId(`${all} (closed)`);
    all += more;
  }
  return withoutId(all);
}

export class RedisComparison implements AsyncDisposable {
  readonly ours: RespScene;
  readonly redis: RedisServer;

  constructor(ours: RespScene, redis: RedisServer) {
    this.ours = ours;
    this.redis = redis;
  }

  static async start(options: SceneOptions = {}, args: readonly string[] = []): Promise<RedisComparison> {
    return new RedisComparison(await startResp(options), await startRedis({ args }));
  }

  /** Compares both servers' answers. @returns the answers */
  async assertSame(bytes: string): Promise<string> {
    const [ours, theirs] = await Promise.all([
      answers(this.ours.port, bytes),
      answers(this.redis.port, bytes),
    ]);
    assert.equal(ours, theirs, JSON.stringify(bytes));
    return ours;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.redis.stop();
    await this.ours[Symbol.asyncDispose]();
  }
}
