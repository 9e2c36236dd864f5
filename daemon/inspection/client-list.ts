/** CLIENT LIST over the signed way in: everybody who is connected to any listener of the daemon. */
import type { ByteString } from "../../protocol/byte-string.js";
import type { InspectedDaemon } from "./inspected-daemon.js";

/** A line each, in the order in which they came. */
export function clientList({ listeners, uptime }: InspectedDaemon): ByteString {
  const now = uptime();
  const seconds = (since: number) => Math.max(0, Math.floor((now - since) / 1000));
  return listeners()
    .flatMap(({ name, clients }) =>
      [...clients].map(({ remote, openedAt, activeAt, heldBytes }) => {
        const times = `age=${seconds(openedAt)} idle=${seconds(activeAt)}`;
        return `addr=${remote} listener=${name} ${times} tot-mem=${heldBytes}\n`;
      }),
    )
    .join("");
}
