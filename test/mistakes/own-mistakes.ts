/** Mistakes in JavaScript programs and in a shell. */
import { type Client, createClient, dbsyncSend } from "../../client/public-api.js";
import type { Mistake } from "./mistake.js";
import type { Scene } from "./scene.js";

const sent = (command: unknown) => async (scene: Scene) => {
  await using client = createClient({ servers: scene.at.unsigned, key: false });
  return await client.send(command as string);
};

const withClient = (act: (client: Client) => unknown) => async (scene: Scene) => {
  await using client = createClient({ servers: scene.at.unsigned, key: false });
  return await act(client);
};

/** An argument with a type that the compiler refuses. */
const wrong = (argument: unknown) => argument as string;

const createWith = (wrong: object) => async () => void createClient(wrong);

export const NODE_MISTAKES: readonly Mistake[] = [
  {
    name: "A misspelt option",
    node: createWith({ server: "db1" }),
    says: [/"server"/, /did you mean servers/],
  },
  {
    name: "An option of another library",
    node: createWith({ host: "db1" }),
    says: [/"host"/, /the options are servers, key/],
  },
  {
    name: "An option of the wrong type",
    node: createWith({ keepalive: 1 }),
    says: [/keepalive is 1/, /true or false/],
  },
  {
    name: "A timeout that is too long",
    node: createWith({ timeout: 60_000 }),
    says: [/timeout is 60000/, /1 to 20000/],
  },
  {
    name: "A missing argument",
    node: sent(["SET", "greeting", undefined]),
    says: [/SET greeting/, /argument 2 is undefined/, /text, finite numbers, bigints or bytes/],
  },
  {
    name: "An object in place of fields and values",
    node: withClient((client) => client.hset("user:1", wrong({ name: "Ada" }), wrong(undefined))),
    says: [/HSET user:1/, /argument 2 is an object/, /\.\.\.Object\.entries\(object\)\.flat\(\)$/],
  },
  {
    name: "A Map in place of fields and values",
    node: sent(["HSET", "user:1", new Map([["name", "Ada"]])]),
    says: [/HSET user:1/, /argument 2 is an object/, /\.\.\.\[\.\.\.map\]\.flat\(\)$/],
  },
  {
    name: "A list in place of keys",
    node: withClient((client) => client.del(wrong(["a", "b"]))),
    says: [/\(DEL\)/, /argument 1 is a list/, /pass the elements of the list one by one: \.\.\.list$/],
  },
  {
    name: "An object in place of the options of a command",
    node: withClient((client) => client.set("greeting", "hello", wrong({ EX: 10 }))),
    says: [/SET greeting/, /argument 3 is an object/, /"EX", 10/, /client\.withOptions\(options\)/],
  },
  {
    name: "A boolean in place of an argument",
    node: withClient((client) => client.set("greeting", wrong(true))),
    says: [/SET greeting/, /argument 2 is true/, /String\(value\)/],
  },
  {
    name: "A date in place of an argument",
    node: withClient((client) => client.set("greeting", wrong(new Date()))),
    says: [/SET greeting/, /argument 2 is an object/, /toISOString/],
  },
  {
    name: "The arguments of a command without a list",
    node: withClient((client) => client.call("SET", wrong("greeting") as never)),
    says: [/^An option cannot be used: options has the wrong type/, /one list, \["SET", "k", 1\]/],
  },
  {
    name: "The arguments of a command without a list, for dbsyncSend",
    node: async () => (dbsyncSend as (...argv: string[]) => unknown)("SET", "greeting", "hello"),
    says: [/^An option cannot be used: options has the wrong type/, /one list, \["SET", "k", 1\]/],
  },
  {
    name: "Quotes in a line",
    node: sent('SET greeting "good morning"'),
    says: [/SET greeting/, /quotes do not group words in a line; pass a list/, /ERR syntax error$/],
  },
  {
    name: "Quotes in a line of multi",
    node: withClient(async (client) => {
      const [reply] = (await client.multi(["SET greeting 'good morning'"])) ?? [];
      throw reply;
    }),
    says: [/SET greeting/, /quotes do not group words in a line; pass a list/, /ERR syntax error$/],
  },
  {
    name: "A value that is too long for the client",
    node: sent(["SET", "greeting", "x".repeat(70_000_000)]),
    says: [/SET greeting/, /70000\d+ bytes, and a client sends at most 67108864/, /divide/],
  },
  {
    name: "A condition without a list",
    node: createWith({ if: { key: "balance", writer: null } }),
    says: [/if is an object/, /a list of 1 to 1024 conditions, \[\{ key, writer \}\]/],
  },
  { name: "A number in place of a command", node: sent(7), says: [/it is 7/, /pass a line/] },
  {
    name: "A NUL in a line",
    node: sent("SET greeting a\0b"),
    says: [/SET greeting/, /NUL/],
  },
  {
    name: "A closed client",
    node: async (scene) => {
      const client = createClient({ servers: scene.at.unsigned, key: false });
      await client.close();
      await client.send("GET greeting");
    },
    says: [/GET greeting/, /closed/, /close it after the last command/],
  },
  {
    name: "An invalid condition",
    node: createWith({ if: [{ key: "balance" }] }),
    says: [/if/, /\{ key, writer \}/],
  },
];

const shell =
  (...words: readonly string[]) =>
  () => ({ words });
const ini = (text: string) => () => ({ words: ["send", "GET", "greeting"], ini: text });

export const SHELL_MISTAKES: readonly Mistake[] = [
  {
    name: "An option after the command",
    shell: shell("send", "SADD", "tags", "-k", "private.pem", "red"),
    says: [/'-k'/, /must come before the command/, /-- -k/],
  },
  {
    name: "A misspelt option",
    shell: shell("send", "--sever", "db1", "GET", "a"),
    says: [/'--sever'/, /--servers/],
  },
  { name: "A misspelt subcommand", shell: shell("sned", "GET", "a"), says: [/'sned'/, /send/] },
  {
    name: "A command without send",
    shell: shell("SET", "a", "1"),
    says: [/no command SET/, /dbsync send SET a 1/],
  },
  {
    name: "No command at all",
    shell: shell("send"),
    says: [/missing required argument 'command'/, /--help/],
  },
  {
    name: "An unknown policy",
    shell: shell("send", "--policy", "best", "GET", "a"),
    says: [/--policy/, /first, majority, all/],
  },
  {
    name: "A timeout with a unit",
    shell: shell("send", "--timeout", "3s", "GET", "a"),
    says: [/--timeout/, /whole number/],
  },
  {
    name: "An invalid date",
    shell: ({ file }) => ({ words: ["get", "--at", "yesterday", "greeting", "-k", file("root.pem")] }),
    says: [/--at is "yesterday"/, /allowed: /],
  },
  {
    name: "A date without a time zone",
    shell: ({ file }) => ({
      words: ["get", "--at", "2026-01-31T12:00", "greeting", "-k", file("root.pem")],
    }),
    says: [/--at is "2026-01-31T12:00", without a time zone/, /2026-01-31T12:00Z for UTC/],
  },
  {
    name: "A backup that does not exist",
    shell: shell("restore", "nowhere.dbsync", "--data", "restored"),
    says: [/nowhere\.dbsync/, /no such file/, /dbsync backup/],
  },
  {
    name: "An unknown category in the rules of a key",
    shell: ({ file, at }) => ({
      words: ["keys", "rules", "web", "+@reads", "-k", file("root.pem"), "-s", at.signed],
    }),
    says: [/\+@reads/, /there is no such category; did you mean read\?/],
  },
  {
    name: "A date in the future",
    shell: ({ file }) => ({ words: ["get", "--at", "2099-01-31", "greeting", "-k", file("root.pem")] }),
    says: [/--at is "2099-01-31"/, /leave out --at/],
  },
  {
    name: "A command after get",
    shell: shell("get", "HGETALL", "greeting"),
    says: [/accepts one key/, /dbsync send HGETALL greeting/],
  },
  {
    name: "Listing keys without an administrator's key",
    shell: shell("keys", "list"),
    says: [/key/, /administrator/, /-k|--root-key/],
  },
  {
    name: "The private key in place of the public key",
    shell: ({ file, at }) => ({
      words: ["keys", "add", file("web.pem"), "-k", file("root.pem"), "-s", at.signed],
    }),
    says: [/web\.pem/, /private key/, /openssl pkey/],
  },
  {
    name: "A key pair in place of an existing one",
    shell: ({ file }) => ({ words: ["--out", file("."), "--name", "app"], program: "dbsync-keygen" }),
    says: [/app/, /nothing was written/, /--force/],
  },
  {
    name: "A misspelt setting in dbsync.ini",
    shell: ini("dbsync.server = db1\n"),
    says: [/dbsync\.ini, line 1/, /did you mean dbsync\.servers/],
  },
  { name: "A # in dbsync.ini", shell: ini("# my daemons\n"), says: [/dbsync\.ini, line 1/, /begins with ;/] },
  {
    name: "A missing quote in dbsync.ini",
    shell: ini('dbsync.servers = "db1\n'),
    says: [/dbsync\.ini, line 1/, /quote/],
  },
  {
    name: "Unknown versions in a variable",
    shell: () => ({ words: ["send", "GET", "a"], variables: { DBSYNC_VERSIONS: "3" } }),
    says: [/DBSYNC_VERSIONS is "3"/, /allowed: 2/],
  },
  {
    name: "An invalid cluster in a variable",
    shell: () => ({ words: ["send", "GET", "a"], variables: { DBSYNC_CLUSTER: "production" } }),
    says: [/DBSYNC_CLUSTER is "production"/, /64 hexadecimal digits/],
  },
];
