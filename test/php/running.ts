/** Runs PHP scripts that use clients/php/dbsync.php. */
import { join } from "node:path";
import { repositoryRoot } from "../support/repository.js";
import { run } from "../support/run-program.js";

/** The tested file. */
export const PHP_FILE = join(repositoryRoot, "clients", "php", "dbsync.php");

/**
 * Runs PHP code with dbsync.php loaded. The code ends with `$result = …`, and the result is returned as JSON. Any
 * other output of PHP, for example a warning, is an error.
 * @param options  `patience` replaces timeouts of dbsync.php, in seconds: those that are too short for a busy machine,
 *   and those on which the result of a test depends
 */
export async function runPhp(
  code: string,
  options: {
    env?: Readonly<Record<string, string>>;
    ini?: Readonly<Record<string, string>>;
    input?: string;
    patience?: Readonly<Record<string, number>>;
  } = {},
): Promise<unknown> {
  const ini = Object.entries({ display_errors: "1", error_reporting: "-1", ...options.ini });
  const script = `${patient({ ...PATIENCE, ...options.patience })}; ${code}; echo json_encode($result, JSON_THROW_ON_ERROR);`;
  const ended = await run(
    "php",
    [...ini.flatMap(([name, value]) => ["-d", `${name}=${value}`]), "-r", script],
    {
      ...options,
    },
  );
  if (ended.code !== 0 || ended.stderr !== "")
    throw new Error(`php: ${ended.code}: ${ended.stderr}${ended.stdout}`);
  try {
    return JSON.parse(ended.stdout);
  } catch {
    throw new Error(`PHP printed more than its result: ${ended.stdout}`);
  }
}

/**
 * Returns PHP code that waits until its connection to a port of 127.0.0.1 is no longer in the state ESTABLISHED,
 * because the daemon or both sides have closed it.
 */
export function untilClosedBy(port: number): string {
  const digits = port.toString(16).toUpperCase().padStart(4, "0");
  return `while (preg_match('/:${digits} 01 /', file_get_contents('/proc/self/net/tcp'))) usleep(1000);`;
}

/** Timeouts for a busy machine. A call that should fail early does not take this long. */
const PATIENCE = { CALL_SECONDS: 60, ASK_SECONDS: 20 };

/** Returns PHP code that loads dbsync.php with other constants. */
function patient(seconds: Readonly<Record<string, number>>): string {
  const changes = Object.entries(seconds).map(([name, value]) => {
    const change = `'/(?<= const ${name} = )[^;]+/', '${value}'`;
    return `$text = preg_replace(${change}, $text, -1, $count); if ($count !== 1) throw new Error('${name}')`;
  });
  const read = `$text = preg_replace('/^<\\?php/', '', file_get_contents(${JSON.stringify(PHP_FILE)}))`;
  return [read, ...changes, "eval($text)"].join("; ");
}

const SEND = "$start = hrtime(true); $value = dbsync_send('GET k');";
const RESULT = "$result = [$value, dbsync_last_error(), intdiv(hrtime(true) - $start, 1000000)]";

/** Makes one call. @returns its value, its error and its duration in milliseconds */
export async function sendOne(
  servers: readonly string[],
  ini: Record<string, string> = {},
  patience?: Readonly<Record<string, number>>,
) {
  const result = await runPhp(`${SEND} ${RESULT}`, {
    ini: { "dbsync.servers": servers.join(","), ...ini },
    ...(patience === undefined ? {} : { patience }),
  });
  const [value, error, ms] = result as [string | null, string | null, number];
  return { value, error: error ?? "", ms };
}
