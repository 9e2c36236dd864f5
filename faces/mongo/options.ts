/** The option of --mongo. */
import { row, type ValuesOf } from "../../daemon/options/option-row.js";
import { listenAddressOr } from "../../daemon/options/value-forms.js";

/** The port of MongoDB. */
const MONGO_PORT = "27017";

export const MONGO_OPTIONS = {
  mongo: row({
    clients: "MongoDB",
    flags: "--mongo [address]",
    help: `serve MongoDB clients on a port of 127.0.0.1 (default: ${MONGO_PORT}), or on address:port`,
    form: listenAddressOr(MONGO_PORT),
    fallback: null,
    reload: "restart",
    example: MONGO_PORT,
  }),
} as const;

declare module "../../daemon/options/option-row.js" {
  interface FaceSettings extends ValuesOf<typeof MONGO_OPTIONS> {}
  interface UserListeners extends Pick<ValuesOf<typeof MONGO_OPTIONS>, "mongo"> {}
}
