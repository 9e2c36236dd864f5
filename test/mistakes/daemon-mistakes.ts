/** Mistakes in starting a daemon. */
import { NAMELESS } from "../support/nameless.js";
import type { Mistake } from "./mistake.js";
import type { Scene } from "./scene.js";

const words =
  (...parameters: readonly string[]) =>
  () => ({ words: parameters });
const toml = (text: string) => () => ({ words: [], toml: text });
const signed = ({ file }: Scene, ...more: readonly string[]) => ({
  words: ["-s", file("app-public.pem"), ...more],
});

export const DAEMON_MISTAKES: readonly Mistake[] = [
  {
    name: "A port in use",
    isCommon: true,
    daemon: ({ at }) => ({ words: ["-p", at.unsigned.split(":")[1] as string] }),
    says: [/127\.0\.0\.1, port 1111/, /in use|listens there/, /-p|port/],
  },
  {
    name: "A data folder that another daemon uses",
    isCommon: true,
    daemon: (scene) => signed(scene, "--data", scene.file("used-data")),
    says: [/data/, /in use/],
  },
  {
    name: "A misspelt option",
    daemon: words("--max-conections", "5"),
    says: [/'--max-conections'/, /--max-connections/],
  },
  {
    name: "A misspelt name in the file",
    daemon: toml("sing-key = 'public.pem'\n"),
    says: [/line 1/, /Did you mean sign-key/],
  },
  {
    name: "A misspelt variable",
    daemon: () => ({ words: [], variables: { DBSYNCD_SIGNKEY: "public.pem" } }),
    says: [/DBSYNCD_SIGNKEY/, /did you mean DBSYNCD_SIGN_KEY/],
  },
  {
    name: "A text without quotes in the file",
    daemon: toml("bind = 0.0.0.0\n"),
    says: [/line 1/, /bind = "0\.0\.0\.0"/],
  },
  {
    name: "A missing quote in the file",
    daemon: toml('bind = "::1\n'),
    says: [/line 1/, /Write bind = "::1"/],
  },
  {
    name: "A value of the wrong type in the file",
    daemon: toml('close = "yes"\n'),
    says: [/line 1/, /close = "yes": Expected true or false/],
  },
  {
    name: "A number that is too high in the file",
    daemon: toml("port = 99999\n"),
    says: [/line 1/, /port = 99999/, /65535/],
  },
  {
    name: "A missing configuration file",
    daemon: words("--config", "nowhere.toml"),
    says: [/nowhere\.toml does not exist/, /Correct --config/],
  },
  {
    name: "A folder in place of the configuration file",
    daemon: ({ file }) => ({ words: ["--config", file("keys")] }),
    says: [/keys/, /Correct --config|cannot be read/],
  },
  { name: "An invalid port", daemon: words("-p", "99999"), says: [/--port/, /99999/, /0 to 65535/] },
  {
    name: "An unknown host name",
    daemon: words("-b", NAMELESS),
    says: [/db1\.exmaple/, /Correct -b/],
  },
  {
    name: "An address of another machine",
    daemon: words("-b", "192.0.2.1", "--allow-unsigned"),
    says: [/192\.0\.2\.1/, /no such address/, /-b/],
  },
  {
    name: "Unsigned commands from other machines",
    isCommon: true,
    daemon: words("-b", "0.0.0.0"),
    says: [/0\.0\.0\.0|machines/, /-s public\.pem/, /--allow-unsigned/],
  },
  {
    name: "A missing key file",
    daemon: words("-s", "nowhere.pem"),
    says: [/nowhere\.pem does not exist/, /dbsync-keygen/],
  },
  {
    name: "The private key in place of the public key",
    daemon: ({ file }) => ({ words: ["-s", file("app.pem")] }),
    says: [/app\.pem/, /private key/, /openssl pkey/],
  },
  {
    name: "An empty key file",
    daemon: ({ file }) => ({ words: ["-s", file("empty.pem")] }),
    says: [/empty\.pem is empty/, /dbsync-keygen/],
  },
  {
    name: "A folder without keys",
    isCommon: true,
    daemon: ({ file }) => ({ words: ["-s", file("no-keys")] }),
    says: [/no-keys/, /no public key/, /public\.pem/],
  },
  {
    name: "A key for applications and administrators",
    daemon: ({ file }) => ({ words: ["-s", file("app-public.pem"), "--root-key", file("app-public.pem")] }),
    says: [/the same key/, /not in both/],
  },
  { name: "A data folder without a key", daemon: words("--data", "data"), says: [/--data/, /add -s/] },
  {
    name: "A peer without a secret",
    daemon: (scene) => signed(scene, "--peer", "db2:1111"),
    says: [/--cluster-secret/, /dbsync-keygen/],
  },
  {
    name: "A peer without a port",
    daemon: (scene) => signed(scene, "--peer", "db2"),
    says: [/--peer/, /host:port/],
  },
  {
    name: "A file in place of the data folder",
    daemon: (scene) => signed(scene, "--data", scene.file("notes.txt")),
    says: [/notes\.txt/, /folder|directory/],
  },
  {
    name: "Data of another cluster",
    isCommon: true,
    daemon: ({ file }) => ({ words: ["-s", file("stranger-public.pem"), "--data", file("old-data")] }),
    says: [/data folder/, /-s no longer contains/, /dbsync keys add/],
  },
  {
    name: "A certificate without its key",
    daemon: ({ certificate }) => ({ words: ["--tls-cert", certificate.certificate] }),
    says: [/TLS|--tls-cert/, /--tls-key/],
  },
  {
    name: "A certificate with another certificate's key",
    daemon: ({ certificate, expired }) => ({
      words: ["--tls-cert", certificate.certificate, "--tls-key", expired.key],
    }),
    says: [/tls-cert\.pem/, /tls-key\.pem|key/],
  },
  {
    name: "A Redis without its port",
    daemon: words("-d", "redis:127.0.0.1"),
    says: [/redis:127\.0\.0\.1/, /redis:host:port/],
  },
  {
    name: "An unknown kind of database",
    daemon: words("-d", "mysql:127.0.0.1:3306"),
    says: [/mysql/, /Expected memory, redis:host:port/],
  },
  {
    name: "A limit that is too low",
    daemon: words("--idle-timeout", "1ms"),
    says: [/--idle-timeout/, /50ms to 24h/],
  },
  {
    name: "An unknown level of the log",
    daemon: words("--log-level", "chatty"),
    says: [/--log-level/, /debug/],
  },
  { name: "An argument too many", daemon: words("start"), says: [/too many arguments/, /--help/] },
];
