/** Requests of the JSON listener for much at once: what they cost, and how long others wait. `--smoke`: seconds, small documents. */
import { loadavg } from "node:os";
import { documentHoldups } from "./document-holdups.js";
import { documentUnits } from "./document-units.js";
import { machine, report } from "./report.js";

const smoke = process.argv.includes("--smoke");
const SIZES = smoke
  ? { documents: 5000, entries: 2000, valueBytes: 2 ** 20 }
  : { documents: 1_000_000, entries: 130_000, valueBytes: 60 * 2 ** 20 };

async function main(): Promise<void> {
  const waiting = (loadavg()[0] as number).toFixed(1);
  const units = await documentUnits(smoke ? 5 : 100);
  const waits = await documentHoldups(SIZES);
  report(
    "document-requests",
    `## Documents: requests for much at once

${machine()} \`node dist/bench/document-requests.js\`. Load average of the machine before the run: ${waiting}.

As multiples of what \`JSON.stringify(JSON.parse(text))\` of the same text takes in the bench's own process, in CPU time: of the whole document, for the
insert of its own text. The goals are for the daemon's CPU time (all its threads), which others' work does not lengthen; the original's
figures were recorded on a quiet machine, by a client's clock: it does not run here.

${units}

PING of a Redis client, one after the other, while a client of the JSON listener asks once. The longest turn is what a request may have to wait for that
comes just behind: CPU time of all threads of the daemon in it, those that collect garbage and compile beside it included.

${waits}`,
    smoke,
  );
}

await main();
