/** Enables a Redis's notifications about written keys (notify-keyspace-events) while an import follows it. */

import { shown } from "../../../daemon/net/terminal/escaped-text.js";
import { printLine } from "../shared/output.js";
import { bulksOf, RedisError, type RedisSource } from "./redis-source.js";

const SETTING = "notify-keyspace-events";
/** The flags for the events of all types of keys, on channels named after the event. */
const NEEDED = "AE";

export class KeyNotices {
  /** The server's previous setting, or null if the setting was not changed. */
  #before: string | null = null;

  /** Turns notifications on. @throws Error  they are off, and the user may not change the setting */
  async turnOn(source: RedisSource): Promise<void> {
    const [, now = ""] = bulksOf(await configure(source, ["CONFIG", "GET", SETTING]));
    if ([...NEEDED].every((flag) => now.includes(flag))) return;
    await configure(source, ["CONFIG", "SET", SETTING, `${now}${NEEDED}`]);
    if (this.#before === null)
      printLine(
        `changed ${SETTING} of the Redis from "${shown(now)}" to "${shown(now)}${NEEDED}" for the duration of the import`,
      );
    this.#before ??= now;
  }

  async restore(source: RedisSource): Promise<void> {
    if (this.#before === null) return;
    try {
      await source.query(["CONFIG", "SET", SETTING, this.#before]);
      printLine(`restored ${SETTING} of the Redis to "${shown(this.#before)}"`);
    } catch (problem) {
      printLine(
        `${SETTING} of the Redis could not be restored to "${shown(this.#before)}": ${shown((problem as Error).message)}`,
      );
    }
  }
}

async function configure(source: RedisSource, argv: readonly string[]) {
  try {
    return await source.query(argv);
  } catch (problem) {
    if (!(problem instanceof RedisError)) throw problem;
    throw new RedisError(
      `the Redis refuses to report written keys (${problem.message}): permit the user CONFIG GET and CONFIG SET`,
    );
  }
}
