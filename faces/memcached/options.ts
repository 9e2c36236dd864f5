/** The option of --memcached. */
import { formatHostAndPort, parseHostAndPort } from "../../daemon/net/process/host-and-port.js";
import { row, type ValuesOf } from "../../daemon/options/option-row.js";
import { text } from "../../daemon/options/value-forms.js";

export const MEMCACHED_OPTIONS = {
  memcached: {
    clients: "memcached",
    ...row({
      flags: "--memcached <address>",
      help: "serve memcached clients on a port of 127.0.0.1 (such as 11211), or on address:port",
      form: text(parseHostAndPort, formatHostAndPort),
      fallback: null,
      reload: "restart",
      example: "11211",
    }),
  },
} as const;

declare module "../../daemon/options/option-row.js" {
  interface FaceSettings extends ValuesOf<typeof MEMCACHED_OPTIONS> {}
  interface UserListeners extends Pick<ValuesOf<typeof MEMCACHED_OPTIONS>, "memcached"> {}
}
