/** The face of browsers (--ws). */
import { loadWith } from "../../daemon/net/process/service.js";
import type { Face } from "../../daemon/program/face.js";
import { checkWebOptions, WEB_LIMITS, WEB_OPTIONS } from "./options.js";

export const web: Face = {
  options: WEB_OPTIONS,
  limits: WEB_LIMITS,
  checkOptions: checkWebOptions,
  speaks: { ports: { ws: "WebSocket (--ws)" }, protocols: [] },
  async open(core, service) {
    const { ws, wsOrigins, limits } = core.settings;
    if (ws === null) return null;

    const { WsListener } = await loadWith("ws", "--ws", () => import("./ws-listener.js"));
    const listener = new WsListener({ ...core, limits }, service, { ws, wsOrigins });
    return {
      listeners: new Map([["ws", listener]]),
      figures: {
        ws: () => {
          const { port } = listener.address;
          return port === 0 ? null : { port, isSecure: core.gate !== null };
        },
      },
      logAddresses() {
        const { address, port } = listener.address;
        core.log.info({ address, port }, "serving WebSocket clients");
      },
    };
  },
};
