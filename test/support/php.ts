/** Evaluates expressions with the installed PHP, for comparison with its JSON functions and its `==`. */
import { execFileSync } from "node:child_process";

const OUTPUT_BYTES_MAX = 256 * 1024 * 1024;

/** Evaluates a PHP expression for each line, which is in `$line`. @returns the printed results, one per line */
export function askPhp(expression: string, lines: readonly string[]): string[] {
  const program = `while (($line = fgets(STDIN)) !== false) { $line = rtrim($line, "\\n"); echo ${expression}, "\\n"; }`;
  const printed = execFileSync("php", ["-d", "serialize_precision=-1", "-r", program], {
    input: lines.map((line) => `${line}\n`).join(""),
    maxBuffer: OUTPUT_BYTES_MAX,
  });
  return printed.toString("latin1").split("\n").slice(0, -1);
}
