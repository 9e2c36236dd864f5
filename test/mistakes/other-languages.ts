/** Makes the calls of the table in other languages, with one process for each language. */
import { readFileSync } from "node:fs";
import { runGoTests } from "../go/running.js";
import { runPhp } from "../php/running.js";
import { runPython } from "../python/running.js";
import { ScratchFolder } from "../support/scratch-folder.js";
import type { Call, Mistake, Reader } from "./mistake.js";
import type { Scene } from "./scene.js";

const SECOND_MS = 1000;

const PYTHON = `
import warnings
from dbsync import Client
texts = []
for one in given:
    try:
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            with Client(one["servers"], one["key"], **one["options"]) as client:
                client.call(*one["words"], **one["more"])
        texts.append(str(warned[0].message) if warned else None)
    except Exception as problem:
        texts.append(str(problem))
print(json.dumps(texts))
`;

const RUN: Partial<Record<Reader, (calls: readonly Call[]) => Promise<(string | null)[]>>> = {
  PHP: async (calls) => {
    const given = calls.map(({ servers, key, command, options = {} }) => {
      const { timeout = 3 * SECOND_MS, ...others } = options;
      return {
        command,
        options: { servers, signkey: key, format: "text", ...others, timeout: timeout / SECOND_MS },
      };
    });
    return (await runPhp(
      `$result = [];
      foreach (json_decode(stream_get_contents(STDIN), true) as $call) {
        dbsync_reset();
        try { dbsync_call($call['command'], $call['options']); $result[] = null; }
        catch (Throwable $problem) { $result[] = $problem->getMessage(); }
      }`,
      { input: JSON.stringify(given) },
    )) as (string | null)[];
  },
  Python: async (calls) => {
    const given = calls.map(({ servers, key, command, options = {} }) => {
      const { timeout = 3 * SECOND_MS, replicated, ...others } = options;
      return {
        servers,
        key,
        words: typeof command === "string" ? command.split(" ") : command,
        options: { ...others, timeout: timeout / SECOND_MS },
        more: replicated === undefined ? {} : { replicated },
      };
    });
    return (await runPython(PYTHON, given)) as (string | null)[];
  },
  Go: async (calls) => {
    const given = calls.map(({ servers, key, command, options = {} }) => {
      const { timeout = 3 * SECOND_MS, policy = "", ...others } = options;
      return {
        servers,
        key,
        words: typeof command === "string" ? command.split(" ") : command,
        milliseconds: timeout,
        policy: String(policy),
        ...others,
      };
    });
    using folder = new ScratchFolder();
    const file = folder.file("calls.json", JSON.stringify(given));
    await runGoTests("^TestMistakes$", { DBSYNC_MISTAKES: file });
    return JSON.parse(readFileSync(`${file}.texts`, "utf8")) as (string | null)[];
  },
};

export const LANGUAGES = Object.keys(RUN) as Reader[];

/** Returns the text of a language for each mistake. */
export async function textsIn(
  language: Reader,
  mistakes: readonly Mistake[],
  scene: Scene,
): Promise<Map<Mistake, string>> {
  const applicable = mistakes.filter(({ call, not = [] }) => call !== undefined && !not.includes(language));
  const texts = await RUN[language]?.(applicable.map(({ call }) => call?.(scene) as Call));
  return new Map(applicable.map((mistake, index) => [mistake, texts?.[index] ?? "no mistake"]));
}
