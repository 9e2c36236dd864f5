/** Runs the same conversations with our listener and with a redis-server. */
import assert from "node:assert/strict";
import { writeCommand } from "../../../protocol/resp/resp-writer.js";
import { RawClient } from "../../support/raw-client.js";
import { type RedisServer, startRedis } from "../../support/redis-server.js";
import { type RespScene, type SceneOptions, startResp, withoutId } from "./scene.js";

/** The end of each conversation: once it is answered, so is all that came earlier. */
const END = "the end";
const ENDED = `$${END.length}\r\n${END}\r\n`;

/** Returns commands, each in a line. */
export const lines = (...commands: readonly string[]) => commands.map((command) => `${command}\r\n`).join("");

/** Returns the answers up to the end mark, or until the other side closes, which Redis may do by a reset. */
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

export class BesideRedis implements AsyncDisposable {
  readonly ours: RespScene;
  readonly redis: RedisServer;

  constructor(ours: RespScene, redis: RedisServer) {
    this.ours = ours;
    this.redis = redis;
  }

  static async start(options: SceneOptions = {}, args: readonly string[] = []): Promise<BesideRedis> {
    return new BesideRedis(await startResp(options), await startRedis({ args }));
  }

  /** Compares both servers' answers. @returns the answers */
  async assertSame(bytes: string): Promise<string> {
    const [mine, theirs] = await Promise.all([
      answers(this.ours.port, bytes),
      answers(this.redis.port, bytes),
    ]);
    assert.equal(mine, theirs, JSON.stringify(bytes));
    return mine;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.redis.stop();
    await this.ours[Symbol.asyncDispose]();
  }
}
