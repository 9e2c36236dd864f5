/** The refusals of dbsyncd, mostly without a process. */
import assert from "node:assert/strict";
import { StartError } from "../../daemon/net/process/service.js";
import { BUILD } from "../../daemon/program/installed-faces.js";
import { readCommandLine } from "../../daemon/program/program.js";
import { runDaemon } from "./daemon-process.js";

/**
 * Returns the exit code and error of dbsyncd for invalid arguments. Only a start that fails neither while it reads its
 * options nor while it reads its files runs as a process.
 */
export async function refusalOf(args: readonly string[]): Promise<{ code: number | null; stderr: string }> {
  for (const words of [args, [...args, "--check-config"]]) {
    try {
      await readCommandLine(words, {}, BUILD.faces);
    } catch (problem) {
      assert.ok(problem instanceof StartError, String(problem));
      return { code: problem.exitCode, stderr: problem.message };
    }
  }
  return await runDaemon(args.includes("-p") ? args : [...args, "-p", "0"]);
}
