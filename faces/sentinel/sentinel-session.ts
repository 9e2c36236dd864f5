/** The session of a connection to --sentinel: its state, and its commands. Texts: redis-server 7.0, sentinel.c. */

import type { Channels } from "../../daemon/engine/channels/channels.js";
import type { ClientConnection } from "../../daemon/net/connections/client-connection.js";
import type { ClientDoing } from "../../daemon/net/connections/dialect.js";
import {
  CommandFailure,
  custom,
  unknownCommand,
  unknownSubcommand,
  wrongArity,
} from "../../daemon/store/arguments/command-errors.js";
import type { ByteString } from "../../protocol/byte-string.js";
import {
  array,
  bulk,
  bulks,
  EMPTY_ARRAY,
  error,
  integer,
  map,
  NIL_ARRAY,
  OK,
  type Reply,
  status,
  ZERO,
} from "../../protocol/reply.js";
import { subscribingHandlers } from "../redis/commands/channel-commands.js";
import { describingHandlers } from "../redis/commands/client-commands.js";
import { authenticate, greet } from "../redis/commands/connection-commands.js";
import { type SubscribingUser, type Subscriptions, whileSubscribed } from "../redis/session/subscriptions.js";
import { UserSession } from "../users/user-session.js";
import { noMaster } from "./sentinel-answers.js";
import type { SentinelServer } from "./sentinel-server.js";

type Argv = readonly ByteString[];
type Handler = (session: SentinelSession, argv: Argv) => Reply | null | Promise<Reply | null>;

interface Route {
  /** The number of arguments with the name; negative: at least that number. As in Redis. */
  readonly arity: number;
  readonly handler: Handler;
}

const NO_AUTH = error("NOAUTH Authentication required.");
const AUTOMATIC = "the daemons choose the one that they name, when it stops accepting writes";

/** The commands that are permitted before a login. */
const OPEN: ReadonlySet<string> = new Set(["AUTH", "HELLO", "QUIT", "RESET"]);
/** The commands that a RESP2 client with subscriptions may send. */
const WHILE_SUBSCRIBED: ReadonlySet<string> = new Set([
  ...["SUBSCRIBE", "PSUBSCRIBE", "UNSUBSCRIBE", "PUNSUBSCRIBE", "PING", "QUIT", "RESET"],
]);
const CONTAINERS: ReadonlySet<string> = new Set(["SENTINEL", "CLIENT"]);

export class SentinelSession {
  readonly server: SentinelServer;
  readonly id: number;
  readonly userSession: UserSession;
  protocol: 2 | 3 = 2;
  name: ByteString = "";
  library: ByteString = "";
  libraryVersion: ByteString = "";
  /** The subscriptions, or null if the client has never subscribed. */
  subscriptions: Subscriptions | null = null;
  readonly isExecuting = false;
  readonly execTurns = null;
  isGone = false;
  /** Whether the connection closes after the next answer. */
  isClosing = false;
  /** This machine's address as the client has reached it. */
  readonly host: string;
  readonly channels: Channels;
  #last = "";
  readonly #connection: ClientConnection<Argv>;

  constructor(server: SentinelServer, connection: ClientConnection<Argv>) {
    this.server = server;
    this.id = ++server.accepted;
    this.userSession = new UserSession(server.host.users, server.host.memory);
    this.host = (connection.socket.localAddress ?? "").replace(/^::ffff:(?=\d+\.)/i, "");
    this.channels = server.connected(this.host);
    this.#connection = connection;
  }

  /** Whether the client still has to log in. */
  get needsLogin(): boolean {
    return this.userSession.user === null;
  }

  get isSubscribed(): boolean {
    return this.subscriptions?.isEmpty === false;
  }

  get doing(): ClientDoing {
    return { name: this.userSession.name ?? "", command: this.#last };
  }

  /** A login permits everything here, so users' rules on channels do not apply. */
  get subscriber(): SubscribingUser {
    const { userSession } = this;
    return {
      renew: () => userSession.renew(),
      get user() {
        return userSession.user === null ? null : { channels: null };
      },
    };
  }

  push(bytes: ByteString): void {
    this.#connection.push(bytes);
  }

  kill(): void {
    this.#connection.destroy();
  }

  disconnected(): void {
    this.isGone = true;
    this.subscriptions?.clear();
    this.server.disconnected(this.host);
  }

  /** Serves one command. @param argv  at least the name @returns null if there is no reply */
  serve(argv: Argv): Reply | null | Promise<Reply | null> {
    const name = (argv[0] as ByteString).toUpperCase();
    // As in Redis, a client whose user was removed or disabled is disconnected.
    if (!this.userSession.renew()) this.isClosing = true;
    if (this.needsLogin && !OPEN.has(name)) return NO_AUTH;
    try {
      const { title, handler } = routeOf(argv);
      this.#last = title;
      if (this.isSubscribed && this.protocol === 2) {
        if (!WHILE_SUBSCRIBED.has(name)) return whileSubscribed(title);
        if (name === "PING") return bulks(["pong", argv[1] ?? ""]);
      }
      return handler(this, argv);
    } catch (failure) {
      if (failure instanceof CommandFailure) return failure.reply;
      throw failure;
    }
  }

  /** Returns the session to its state before a login. */
  reset(): void {
    this.subscriptions?.clear();
    this.userSession.logOut();
    this.protocol = 2;
    this.name = "";
  }
}

/** Returns the command of a request, with its name in lower case. @throws CommandFailure */
function routeOf(argv: Argv): { readonly title: string; readonly handler: Handler } {
  const first = (argv[0] as ByteString).toUpperCase();
  const isContainer = CONTAINERS.has(first);
  const second = isContainer ? argv[1]?.toUpperCase() : undefined;
  if (isContainer && second === undefined) throw wrongArity(first.toLowerCase());

  const key = isContainer ? `${first}|${second}` : first;
  const route = ROUTES.get(key);
  if (route === undefined) {
    if (isContainer) throw unknownSubcommand(first, argv[1] as ByteString);
    throw unknownCommand(argv);
  }

  const { arity, handler } = route;
  const title = key.toLowerCase();
  if (arity < 0 ? argv.length < -arity : argv.length !== arity) throw wrongArity(title);

  return { title, handler };
}

/** Runs a handler for the name of a master. @throws CommandFailure  the sentinel does not know the name */
function named(answer: (session: SentinelSession, name: ByteString) => Reply): Handler {
  return (session, argv) => {
    const name = argv[2] as ByteString;
    if (!session.server.knows(name)) throw noMaster();
    return answer(session, name);
  };
}

/** Refuses a command that changes a Redis Sentinel. */
function refused(name: string, reason: string): Handler {
  return () => {
    throw custom(`ERR SENTINEL ${name} is not possible here: ${reason}`);
  };
}

const SENTINEL_ROUTES: readonly (readonly [name: string, arity: number, handler: Handler])[] = [
  ["CKQUORUM", 3, named(({ server }) => server.answers.quorum())],
  [
    "GET-MASTER-ADDR-BY-NAME",
    3,
    ({ server, host }, argv) =>
      server.knows(argv[2] as ByteString) ? server.answers.address(host) : NIL_ARRAY,
  ],
  ["HELP", 2, () => array(HELP.map(status))],
  // A Redis Sentinel asks this before a failover; these daemons need no votes.
  ["IS-MASTER-DOWN-BY-ADDR", 6, () => array([ZERO, bulk("*"), ZERO])],
  ["MASTER", 3, named(({ server, host }, name) => server.answers.master(name, host))],
  ["MASTERS", 2, ({ server, host }) => server.answers.masters(host)],
  ["MYID", 2, ({ server }) => bulk(server.answers.id)],
  ["REPLICAS", 3, named(({ server, host }) => server.answers.replicas(host))],
  ["SENTINELS", 3, named(({ server, host }) => server.answers.sentinels(host))],
  ["SLAVES", 3, named(({ server, host }) => server.answers.replicas(host))],
  ["FAILOVER", 3, refused("FAILOVER", AUTOMATIC)],
  ["RESET", 3, refused("RESET", AUTOMATIC)],
  ["MONITOR", 6, refused("MONITOR", "a daemon names the daemons of its cluster (--peer)")],
  ["REMOVE", 3, refused("REMOVE", "a daemon names the daemons of its cluster (--peer)")],
  ["SET", -5, refused("SET", "set the options of the daemon (--sentinel-name, --sentinel-down-after)")],
  ["CONFIG", -4, refused("CONFIG", "set the options of the daemon (--announce, --announce-sentinel)")],
  ["FLUSHCONFIG", 2, refused("FLUSHCONFIG", "the daemon does not change its options")],
];

const HELP = [
  "SENTINEL <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
  "CKQUORUM <master-name>",
  "    Return the number of connected sentinels, or an error if no daemon accepts writes.",
  "GET-MASTER-ADDR-BY-NAME <master-name>",
  "    Return the address of the daemon that all connected daemons name.",
  "MASTER <master-name>",
  "    Show the daemon that all connected daemons name.",
  "MASTERS",
  "    Show a list with this daemon.",
  "MYID",
  "    Return the ID of this sentinel.",
  "REPLICAS <master-name>",
  "    Show the other daemons that accept writes.",
  "SENTINELS <master-name>",
  "    Show the sentinels of the other connected daemons.",
  "HELP",
  "    Print this help.",
];

/** `COMMAND [COUNT|LIST|DOCS|INFO name …]`, for clients that read the commands when they connect. */
function describeCommands(_: SentinelSession, argv: Argv): Reply {
  switch ((argv[1] ?? "").toUpperCase()) {
    case "":
      return array([...ROUTES].filter(([name]) => !name.includes("|")).map(commandReply));
    case "COUNT":
      return integer(ROUTES.size);
    case "LIST":
      return bulks([...ROUTES.keys()].map((name) => name.toLowerCase()));
    case "DOCS":
      return map([]);
    case "INFO":
      if (argv.length - 2 > ROUTES.size)
        throw custom(`ERR COMMAND INFO expects at most ${ROUTES.size} names`);
      return array(
        argv.slice(2).map((word) => {
          const route = ROUTES.get(word.toUpperCase());
          return route === undefined ? NIL_ARRAY : commandReply([word.toUpperCase(), route]);
        }),
      );
    default:
      throw unknownSubcommand("COMMAND", argv[1] as ByteString);
  }
}

/** Returns a command in the form of COMMAND: none has keys. */
function commandReply([name, { arity }]: readonly [string, Route]): Reply {
  const none = [ZERO, ZERO, ZERO, ...Array(4).fill(EMPTY_ARRAY)];
  return array([bulk(name.toLowerCase()), integer(arity), array([status("fast")]), ...none]);
}

function ping(_: SentinelSession, argv: Argv): Reply {
  if (argv.length > 2) throw wrongArity("ping");
  return argv[1] === undefined ? status("PONG") : bulk(argv[1]);
}

/** `SUBSCRIBE` and the like: channels other than +switch-master and +sdown are accepted, and have no messages. */
const subscribing: readonly (readonly [string, Route])[] = subscribingHandlers.map(([name, handler]) => [
  name,
  {
    arity: name.includes("UN") ? -1 : -2,
    handler,
  },
]);

const ARITIES: ReadonlyMap<string, number> = new Map([
  ["CLIENT|GETNAME", 2],
  ["CLIENT|ID", 2],
  ["CLIENT|SETINFO", 4],
  ["CLIENT|SETNAME", 3],
]);

const ROUTES: ReadonlyMap<string, Route> = new Map<string, Route>([
  [
    "AUTH",
    {
      arity: -2,
      handler: (session, argv) => authenticate(session, argv, session.server.host.users, () => {}),
    },
  ],
  ["COMMAND", { arity: -1, handler: describeCommands }],
  ["HELLO", { arity: -1, handler: (session, argv) => greet(session, argv, GREETING) }],
  [
    "INFO",
    { arity: -1, handler: ({ server, host }, [, ...sections]) => server.answers.info(sections, host) },
  ],
  ["PING", { arity: -1, handler: ping }],
  [
    "PUBLISH",
    {
      arity: 3,
      handler: () => {
        throw custom("ERR Only HELLO messages are accepted by Sentinel instances.");
      },
    },
  ],
  [
    "QUIT",
    {
      arity: -1,
      handler: (session) => {
        session.isClosing = true;
        return OK;
      },
    },
  ],
  [
    "RESET",
    {
      arity: 1,
      handler: (session) => {
        session.reset();
        return status("RESET");
      },
    },
  ],
  ["ROLE", { arity: 1, handler: ({ server }) => array([bulk("sentinel"), bulks([server.listedName])]) }],
  ...subscribing,
  ...describingHandlers.map(([name, handler]): [string, Route] => [
    name,
    { arity: ARITIES.get(name) as number, handler },
  ]),
  ...SENTINEL_ROUTES.map(([name, arity, handler]): [string, Route] => [
    `SENTINEL|${name}`,
    { arity, handler },
  ]),
]);

const GREETING = { role: [["mode", "sentinel"]], failed: () => {} } as const;
