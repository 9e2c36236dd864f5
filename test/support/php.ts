/** Asks a real PHP: what its JSON functions and its `==` say. */
import { execFileSync } from "node:child_process";

const OUTPUT_BYTES_MAX = 256 * 1024 * 1024;

/** What a PHP expression gives for each line of a question; the line is `$line`. Lines come back as they were printed. */
export function askPhp(expression: string, lines: readonly string[]): string[] {
  const program = `while (($line = fgets(STDIN)) !== false) { $line = rtrim($line, "\\n"); echo ${expression}, "\\n"; }`;
  const printed = execFileSync("php", ["-d", "serialize_precision=-1", "-r", program], {
    input: lines.map((line) => `${line}\n`).join(""),
    maxBuffer: OUTPUT_BYTES_MAX,
  });
  return printed.toString("latin1").split("\n").slice(0, -1);
}
