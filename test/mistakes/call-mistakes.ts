/** Mistakes in a call that are possible in every language. */
import { NAMELESS } from "../support/nameless.js";
import type { Call, Mistake } from "./mistake.js";
import type { Scene } from "./scene.js";

/** Returns a valid call with some changes. */
const but =
  (change: (scene: Scene) => Partial<Call>): NonNullable<Mistake["call"]> =>
  (scene) => ({
    servers: scene.at.signed,
    key: scene.file("app.pem"),
    command: ["GET", "greeting"],
    ...change(scene),
  });

const keyFile = (name: string) => but(({ file }) => ({ key: file(name) }));
const command = (...argv: readonly string[]) => but(() => ({ command: argv }));
const tls = (servers: (scene: Scene) => string) => but((scene) => ({ servers: servers(scene) }));

const PIN = "ab".repeat(32);

export const CALL_MISTAKES: readonly Mistake[] = [
  {
    name: "The wrong port, or a daemon that is not running",
    isCommon: true,
    call: but(({ dead }) => ({ servers: dead })),
    says: [/127\.0\.0\.1:1111/, /ECONNREFUSED|refused/i, /is dbsyncd running there/],
  },
  {
    name: "A host name that cannot be resolved",
    isCommon: true,
    call: but(() => ({ servers: `${NAMELESS}:1111` })),
    says: [/db1\.exmaple:1111/, /resolved/, /check its spelling/],
  },
  {
    name: "Another program listens on that port",
    isCommon: true,
    call: but(({ website }) => ({ servers: website, key: "" })),
    says: [/127\.0\.0\.1:1111/, /garbage|version 2/, /dbsyncd?/],
  },
  {
    name: "The port for Redis clients",
    call: but(({ resp }) => ({ servers: resp })),
    says: [
      /127\.0\.0\.1:1111/,
      /this port serves Redis clients \(--resp\)/,
      /specify the daemon's --port instead/i,
    ],
  },
  {
    name: "No key for a daemon that requires signed commands",
    isCommon: true,
    call: but(() => ({ key: "" })),
    says: [/127\.0\.0\.1:1111/, /accepts only signed commands/, /specify the private key/i],
  },
  {
    name: "A key that the daemon does not know",
    isCommon: true,
    call: keyFile("stranger.pem"),
    says: [/127\.0\.0\.1:1111/, /unknown-key/, /fingerprint|Add the key/],
    log: { of: ({ log }) => log("signed"), line: /"unknown-key"/ },
  },
  {
    name: "A signed command for a daemon without keys",
    isCommon: true,
    call: but(({ at }) => ({ servers: at.unsigned })),
    says: [/127\.0\.0\.1:1111/, /not-due/, /-s|no key/],
  },
  {
    name: "A key that was revoked",
    call: keyFile("revoked.pem"),
    says: [/127\.0\.0\.1:1111/, /revoked/, /new pair/, /dbsync keys add/],
    log: { of: ({ log }) => log("signed"), line: /"revoked"/ },
  },
  {
    name: "A key whose rules do not permit the command",
    call: but(({ file }) => ({ key: file("web.pem"), command: ["SET", "greeting", "hello"] })),
    says: [/SET greeting|'set'/, /NOPERM/, /no rule allows it/],
  },
  {
    name: "An administrator's command, signed by an application",
    call: command("KEY", "LIST"),
    says: [/'key list'/, /NOPERM/, /rule -@admin denies it/],
    log: { of: ({ log }) => log("signed"), line: /a KEY command was denied/ },
  },
  {
    name: "A daemon of another cluster",
    call: but(() => ({ options: { cluster: PIN } })),
    says: [/127\.0\.0\.1:1111/, /cluster/],
  },
  {
    name: "A daemon that speaks only version 1",
    call: but(({ version1 }) => ({ servers: version1 })),
    says: [/127\.0\.0\.1:1111/, /speaks (only version 1|version 1 only)/, /versions|is that dbsyncd's port/],
  },
  {
    name: "A connection without TLS to a daemon with TLS",
    isCommon: true,
    call: tls(({ at }) => at.encrypted),
    says: [/127\.0\.0\.1:1111/, /TLS/, /dbsyncs:\/\//],
    log: { of: ({ log }) => log("encrypted"), line: /"not-tls"/ },
  },
  {
    name: "A TLS connection to a daemon without TLS",
    isCommon: true,
    call: tls(({ at }) => `dbsyncs://${at.signed}#sha256:${PIN}`),
    says: [/127\.0\.0\.1:1111/, /tls|TLS/],
  },
  {
    name: "A wrong pin",
    isCommon: true,
    call: tls(({ at }) => `dbsyncs://${at.encrypted}#sha256:${PIN}`),
    says: [/127\.0\.0\.1:1111/, /fingerprint|sha256|pin/],
  },
  {
    name: "A certificate that is not trusted",
    isCommon: true,
    call: tls(({ at }) => `dbsyncs://${at.encrypted}`),
    says: [/127\.0\.0\.1:1111/, /self.signed|trust|certificate/, /ca|#sha256/],
  },
  {
    name: "A certificate that has expired",
    call: but(({ at, expired }) => ({
      servers: `dbsyncs://${at.expired}`,
      options: { ca: expired.certificate },
    })),
    says: [/127\.0\.0\.1:1111/, /expired|in its dates/, /ca/],
  },
  {
    name: "The file of a TLS key that other users can read",
    log: { of: ({ log }) => log("expired"), line: /can be read/ },
    says: [/tls-key\.pem/, /every user of this machine/, /chmod 600/],
  },
  {
    name: "A signing key that other users can read",
    isCommon: true,
    call: but(({ file, at }) => ({ servers: at.signed, key: file("open.pem"), command: ["PING"] })),
    isWarning: true,
    not: ["PHP"],
    says: [/open\.pem/, /every user of this machine/, /chmod 600/],
  },
  { name: "A missing key file", call: keyFile("nowhere.pem"), says: [/nowhere\.pem/, /exist/] },
  {
    name: "A folder in place of a key file",
    call: keyFile("keys"),
    says: [/keys/, /is a folder/, /specify the private key file/i],
  },
  {
    name: "An empty key file",
    call: keyFile("empty.pem"),
    says: [/empty\.pem/, /is empty/, /copy the file again/i],
  },
  {
    name: "A file that is not a key",
    call: keyFile("notes.txt"),
    says: [/notes\.txt/, /no PEM block/, /correct the path/i],
  },
  {
    name: "The public key in place of the private key",
    isCommon: true,
    call: keyFile("app-public.pem"),
    says: [/app-public\.pem/, /public key, which cannot sign\. Specify the private file of the pair\./],
  },
  {
    name: "A certificate in place of the private key",
    call: but(({ certificate }) => ({ key: certificate.certificate })),
    says: [
      /tls-cert\.pem:? contains a certificate, but no private key\. Specify the file of the private key\.$/m,
    ],
  },
  {
    name: "An encrypted key without its passphrase",
    call: keyFile("locked.pem"),
    says: [/locked\.pem/, /is encrypted/, /openssl pkey|password=/],
  },
  {
    name: "A list of servers with an invalid port",
    call: but(() => ({ servers: "127.0.0.1:99999" })),
    says: [/127\.0\.0\.1:99999/, /65535|port/],
  },
  {
    name: "A web address in place of a server",
    call: but(() => ({ servers: "https://db1.example" })),
    says: [/db1\.example/, /host|dbsyncs|port/],
  },
  {
    name: "An invalid cluster",
    call: but(() => ({ options: { cluster: "production" } })),
    says: [/cluster/i, /64 hexadecimal digits/],
  },
  {
    name: "An unknown policy",
    call: but(() => ({ options: { policy: "fastest" as never } })),
    says: [/policy|Policy/, /first/, /majority/],
  },
  {
    name: "A policy with more daemons than servers",
    call: but(() => ({ options: { policy: 3 } })),
    says: [/policy/i, /servers|1/],
  },
  {
    name: "An unknown command",
    call: command("GETT", "greeting"),
    says: [/GETT/, /unknown command/],
  },
  {
    name: "A command with too few arguments",
    call: command("SET", "greeting"),
    says: [/wrong number of arguments/, /set/i],
  },
  {
    name: "A command for another type of value",
    call: command("HGET", "list", "field"),
    says: [/WRONGTYPE/, /wrong kind of value/],
  },
  {
    name: "An invalid number",
    call: command("INCRBY", "visits", "many"),
    says: [/not an integer/],
  },
  {
    name: "An empty command",
    call: but(() => ({ command: "" })),
    says: [/empty|no name/],
  },
  {
    name: "A command that is too long for the daemon",
    call: but(({ at }) => ({ servers: at.small, command: ["SET", "greeting", "x".repeat(5000)] })),
    says: [/127\.0\.0\.1:1111/, /longer than it (accepts|takes)/, /--max-request-bytes/],
    log: { of: ({ log }) => log("small"), line: /a frame of over 2048 bytes/ },
  },
  {
    name: "A write when the memory is full",
    call: but(({ at }) => ({ servers: at.small, command: ["SET", "greeting", "hello"] })),
    says: [/127\.0\.0\.1:1111|OOM/, /maxmemory/],
  },
  {
    name: "Waiting for too many daemons",
    call: but(({ at }) => ({
      servers: at.kept,
      command: ["SET", "greeting", "hello"],
      options: { replicated: 9 },
    })),
    not: ["PHP"],
    says: [/127\.0\.0\.1:1111/, /too-few-daemons/, /fewer/],
  },
  {
    name: "Waiting for replication on a daemon without --data or --peer",
    isCommon: true,
    call: but(() => ({ command: ["SET", "greeting", "hello"], options: { replicated: 1 } })),
    not: ["PHP"],
    says: [/127\.0\.0\.1:1111/, /cannot-wait/, /--data/],
  },
  {
    name: "A daemon whose Redis does not run",
    isCommon: true,
    call: but(({ at }) => ({ servers: at.proxy })),
    says: [/127\.0\.0\.1:1111/, /database-down/, /start its database/],
    log: { of: ({ log }) => log("proxy"), line: /"database-down"/ },
  },
  {
    name: "A daemon that does not answer",
    isCommon: true,
    call: but(({ hung }) => ({ servers: hung, options: { timeout: 500 } })),
    says: [/127\.0\.0\.1:1111/, /timeout|in time/],
  },
];
