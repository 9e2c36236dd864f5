/** Runs `dbsync-proxy [server…]`, which is `dbsync-proxy balance`, with its options and the original's config.json. */
import { readFileSync } from "node:fs";
import { type Command, InvalidArgumentError, Option } from "commander";
import type { Logger } from "pino";
import { realEnvironment } from "../../daemon/net/process/clock-and-randomness.js";
import {
  LOG_FORMATS,
  LOG_LEVELS,
  type LogFormat,
  type LogLevel,
} from "../../daemon/net/process/log-settings.js";
import { runService } from "../../daemon/net/process/run-service.js";
import { type Service, StartError } from "../../daemon/net/process/service.js";
import { STATEMENT_BYTES_MAX } from "../../faces/sql/store/grammar/parse.js";
import { nearestName } from "../../protocol/nearest-name.js";
import { BALANCER_METRICS, healthOf } from "./admin/balancer-report.js";
import { Balancer } from "./balancer/balancer.js";
import { CLIENT_LIMITS, ClientCounts, type ClientLimits } from "./clients/line-listener.js";
import { type AdminOptions, addAdmin, listenAddress, number, withAdmin } from "./common-options.js";
import {
  type BalancerFlags,
  type BalancerSettings,
  DEFAULT_PORT,
  DEFAULT_SETTLE_TIME,
  withFlags,
} from "./settings/balancer-settings.js";
import { readOriginalConfig } from "./settings/original-config.js";
import { UPSTREAM_LIMITS, type UpstreamLimits } from "./upstream/upstream-connection.js";

const TIME_MAX = 24 * 60 * 60 * 1000;
const COUNT_MAX = 1_000_000;
const CONFIG_VARIABLE = "DIRK_CONFIG_PATH";
const JOURNAL_REMOVED =
  "The proxy no longer replicates writes between servers. Copy the data of the earlier servers into daemons that replicate themselves (dbsyncd --sql --peer): dbsync import sql:DATA-FOLDER";

interface Options extends BalancerFlags, AdminOptions {
  readonly config?: string;
  readonly connectTimeout: number;
  readonly replyTimeout: number;
  readonly heartbeat: number;
  readonly maxServerConnections: number;
  readonly maxConnections: number;
  readonly maxStatementBytes: number;
  readonly silenceTimeout: number;
  readonly logLevel: LogLevel;
  readonly logFormat: LogFormat;
}

export function addBalancer(program: Command): void {
  const command = program
    .command("balance", { isDefault: true })
    .summary("balance several servers: reads and writes continue when one fails (the default)")
    .description(
      "Distribute statements over several servers. The balancer sends reads to any of them, and all writes of a database (with --partition object: of an object) to the same one. If a server fails, reads and writes continue on another server.",
    )
    .argument(
      "[server...]",
      "addresses of servers: host[:port], or sqls://host:port#sha256:… with TLS; [id=]host:port names one",
    )
    .option("--config <file>", `the earlier balancer's config.json (or ${CONFIG_VARIABLE})`)
    .option("--listen <address>", `port, or address:port (127.0.0.1:${DEFAULT_PORT})`, listenAddress);
  addRouting(addAdmin(command));
  addLimits(command)
    .addOption(new Option("--log-level <level>", "messages to log").choices(LOG_LEVELS).default("info"))
    .addOption(new Option("--log-format <format>", "format of the log").choices(LOG_FORMATS).default("auto"))
    .action(runBalancer);
}

function addRouting(command: Command): Command {
  return command
    .addOption(
      new Option("--reads <how>", "to all servers in turn, or all reads of a database to one").choices([
        "round-robin",
        "rendezvous",
      ]),
    )
    .addOption(
      new Option("--partition <by>", "whether each object of a database is placed separately").choices([
        "database",
        "object",
      ]),
    )
    .addOption(
      new Option("--hash <name>", "how keys are placed: evenly, or like the earlier balancer").choices([
        "even",
        "original",
      ]),
    )
    .addOption(new Option("--journal <folder>").hideHelp().argParser(refuseJournal))
    .addOption(new Option("--journal-mib <count>").hideHelp().argParser(refuseJournal))
    .option("--single-primary", "send all writes to the first server that is up")
    .option(
      "--settle <ms>",
      `time within which servers replicate a write (${DEFAULT_SETTLE_TIME})`,
      number(0, TIME_MAX),
    );
}

/** Refuses the removed options for the journal. @throws InvalidArgumentError  always */
function refuseJournal(): never {
  throw new InvalidArgumentError(JOURNAL_REMOVED);
}

function addLimits(command: Command): Command {
  const time = number(1, TIME_MAX);
  const count = number(1, COUNT_MAX);
  return command
    .option(
      "--connect-timeout <ms>",
      "timeout for connecting to a server",
      time,
      UPSTREAM_LIMITS.connectTimeout,
    )
    .option("--reply-timeout <ms>", "timeout for an answer", time, UPSTREAM_LIMITS.replyTimeout)
    .option(
      "--heartbeat <ms>",
      "check a server that was silent for this time",
      time,
      UPSTREAM_LIMITS.heartbeatInterval,
    )
    .option(
      "--max-server-connections <count>",
      "connections to one server",
      count,
      UPSTREAM_LIMITS.maxConnections,
    )
    .option("--max-connections <count>", "connections from clients", count, CLIENT_LIMITS.maxConnections)
    .option(
      "--max-statement-bytes <count>",
      "length of one statement",
      number(1, STATEMENT_BYTES_MAX),
      CLIENT_LIMITS.maxRequestBytes,
    )
    .option(
      "--silence-timeout <ms>",
      "disconnect a client that is silent for longer; 0: never",
      number(0, TIME_MAX),
      CLIENT_LIMITS.silenceTimeout,
    );
}

async function runBalancer(servers: readonly string[], options: Options, command: Command): Promise<void> {
  refuseMisspelt(servers, command);
  const settings = withFlags(configured(options.config), servers, options);
  await runService(options, (log) => serviceOf(settings, options, log));
}

/** Refuses a misspelt subcommand, which would otherwise be the name of a server: balance is the default. */
function refuseMisspelt(servers: readonly string[], command: Command): void {
  const [word = "", ...others] = servers;
  const program = command.parent;
  const isWord = others.length === 0 && /^[a-z]+$/i.test(word);
  if (!isWord || program === null || program.args[0] !== word) return;

  const meant =
    word === "version"
      ? "--version"
      : nearestName(
          word,
          program.commands.map((each) => each.name()),
        );
  if (meant === null) return;
  command.error(
    `error: unknown command '${word}'\n(Did you mean ${meant}? For a server with this name: dbsync-proxy balance ${word})`,
  );
}

/** Reads the settings of the configuration file; null if there is no file. @throws StartError */
function configured(option: string | undefined): BalancerSettings | null {
  const file = option ?? process.env[CONFIG_VARIABLE] ?? "";
  if (file === "") return null;
  try {
    return readOriginalConfig(readFileSync(file, "utf8"), file);
  } catch (problem) {
    if (problem instanceof StartError) throw problem;
    throw new StartError(`${file} cannot be read: ${(problem as Error).message}.`, 2);
  }
}

/** Returns the balancer and, if requested, its admin server. */
async function serviceOf(settings: BalancerSettings, options: Options, log: Logger): Promise<Service> {
  const clients = new ClientCounts();
  const balancer = new Balancer({
    settings,
    log,
    observer: clients,
    environment: realEnvironment,
    limits: { clients: clientLimits(options), servers: serverLimits(options) },
  });
  const { servers, counts } = balancer;
  const sources = { servers, counts, clients, bufferedBytes: () => balancer.bufferedBytes };
  return withAdmin(balancer, options, log, { metrics: BALANCER_METRICS, sources, health: healthOf });
}

const clientLimits = ({
  maxConnections,
  maxStatementBytes,
  silenceTimeout,
  replyTimeout,
}: Options): ClientLimits => ({
  ...CLIENT_LIMITS,
  maxConnections,
  silenceTimeout,
  maxRequestBytes: maxStatementBytes,
  backendTimeout: replyTimeout,
});

const serverLimits = (options: Options): UpstreamLimits => ({
  ...UPSTREAM_LIMITS,
  connectTimeout: options.connectTimeout,
  replyTimeout: options.replyTimeout,
  heartbeatInterval: options.heartbeat,
  maxConnections: options.maxServerConnections,
});
