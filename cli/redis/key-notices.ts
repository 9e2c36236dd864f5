/** Notifications of a Redis about written keys (notify-keyspace-events), which are enabled while an import follows it. */

import { shown } from "../../net/terminal/shown-text.js";
import { printLine } from "../shared/output.js";
import { bulksOf, RedisError, type RedisSource } from "./redis-source.js";

const SETTING = "notify-keyspace-events";
/** Enables the events of all types of keys, on channels named after the event. */
const NEEDED = "AE";

export class KeyNotices {
  /** The server's previous setting; null: not known yet. */
  #before: string | null = null;

  /** @throws Error  the setting is off, and may not be changed */
  async turnOn(source: RedisSource): Promise<void> {
    const [, now = ""] = bulksOf(await asked(source, ["CONFIG", "GET", SETTING]));
    if ([...NEEDED].every((flag) => now.includes(flag))) return;
    await asked(source, ["CONFIG", "SET", SETTING, `${now}${NEEDED}`]);
    if (this.#before === null)
      printLine(
        `${SETTING} of the Redis was "${shown(now)}", and is "${shown(now)}${NEEDED}" until this ends`,
      );
    this.#before ??= now;
  }

  async restore(source: RedisSource): Promise<void> {
    if (this.#before === null) return;
    try {
      await source.ask(["CONFIG", "SET", SETTING, this.#before]);
      printLine(`${SETTING} of the Redis is "${shown(this.#before)}" again`);
    } catch (problem) {
      printLine(
        `${SETTING} of the Redis could not be set back to "${shown(this.#before)}": ${shown((problem as Error).message)}`,
      );
    }
  }
}

async function asked(source: RedisSource, argv: readonly string[]) {
  try {
    return await source.ask(argv);
  } catch (problem) {
    if (!(problem instanceof RedisError)) throw problem;
    throw new RedisError(
      `the Redis is to report which keys are written, and refuses that (${problem.message}): permit the user CONFIG GET and SET`,
    );
  }
}
