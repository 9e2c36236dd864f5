/** The option of --memcached. */
import { row, type ValuesOf } from "../../daemon/options/option-row.js";
import { listenAddress } from "../../daemon/options/value-forms.js";

export const MEMCACHED_OPTIONS = {
  memcached: row({
    clients: "memcached",
    flags: "--memcached <address>",
    help: "serve memcached clients on a port of 127.0.0.1 (such as 11211), or on address:port",
    form: listenAddress,
    fallback: null,
    reload: "restart",
    example: "11211",
  }),
} as const;

declare module "../../daemon/options/option-row.js" {
  interface FaceSettings extends ValuesOf<typeof MEMCACHED_OPTIONS> {}
  interface UserListeners extends Pick<ValuesOf<typeof MEMCACHED_OPTIONS>, "memcached"> {}
}
