/** A server that answers as recorded from the original: 20 rows a page, a statement ends at every `;`. */
import { createServer, type Socket } from "node:net";
import { listenAtFreePort } from "../../support/free-port.js";

export interface RecordedServer extends AsyncDisposable {
  readonly port: number;
  /** The received statements. */
  readonly heard: readonly string[];
}

/**
 * Starts the server.
 * @param frames  its answers by statement; it does not understand any other statement, and closes on `null` without
 *   an answer
 */
export async function startRecorded(
  frames: Readonly<Record<string, string | null>>,
): Promise<RecordedServer> {
  const heard: string[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    let held = "";
    sockets.add(socket);
    socket.setEncoding("utf8").on("error", () => {});
    socket.on("data", (piece: string) => {
      const statements = (held + piece).split(";");
      held = statements.pop() ?? "";
      for (const statement of statements.map((text) => text.trim())) {
        heard.push(statement);
        const frame = frames[statement];
        if (frame === null) socket.destroy();
        else socket.write(frame ?? `RESULT_MESSAGE\nHadisoana : tsy fantatra\nEND\n`);
      }
    });
  });
  await listenAtFreePort(server);
  return {
    port: (server.address() as { port: number }).port,
    heard,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
