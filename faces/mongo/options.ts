/** The option of --mongo. */
import { formatHostAndPort, parseHostAndPort } from "../../daemon/net/process/host-and-port.js";
import { row, type ValuesOf } from "../../daemon/options/option-row.js";
import { text } from "../../daemon/options/value-forms.js";

/** The port of MongoDB. */
const MONGO_PORT = "27017";

const listenAddress = text(parseHostAndPort, formatHostAndPort);

export const MONGO_OPTIONS = {
  mongo: {
    clients: "MongoDB",
    ...row({
      flags: "--mongo [address]",
      help: `serve MongoDB clients on a port of 127.0.0.1 (default: ${MONGO_PORT}), or on address:port`,
      form: { ...listenAddress, prepare: (option) => listenAddress.prepare(option.preset(MONGO_PORT)) },
      fallback: null,
      reload: "restart",
      example: MONGO_PORT,
    }),
  },
} as const;

declare module "../../daemon/options/option-row.js" {
  interface FaceSettings extends ValuesOf<typeof MONGO_OPTIONS> {}
  interface UserListeners extends Pick<ValuesOf<typeof MONGO_OPTIONS>, "mongo"> {}
}
