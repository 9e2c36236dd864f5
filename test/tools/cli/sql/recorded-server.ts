/** A server that sends recorded answers of the original: a page has 20 rows, and every `;` ends a statement. */
import { createServer, type Socket } from "node:net";
import { listenAtFreePort } from "../../../support/free-port.js";

export interface RecordedServer extends AsyncDisposable {
  readonly port: number;
  /** The received statements. */
  readonly received: readonly string[];
}

/**
 * Starts the server.
 * @param frames  the answers by statement; other statements are answered with an error, and for `null` the server
 *   closes the connection
 */
export async function startRecorded(
  frames: Readonly<Record<string, string | null>>,
): Promise<RecordedServer> {
  const received: string[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    let held = "";
    sockets.add(socket);
    socket.setEncoding("utf8").on("error", () => {});
    socket.on("data", (piece: string) => {
      const statements = (held + piece).split(";");
      held = statements.pop() ?? "";
      for (const statement of statements.map((text) => text.trim())) {
        received.push(statement);
        const frame = frames[statement];
        if (frame === null) socket.destroy();
        else socket.write(frame ?? `RESULT_MESSAGE\nHadisoana : tsy fantatra\nEND\n`);
      }
    });
  });

  await listenAtFreePort(server);
  return {
    port: (server.address() as { port: number }).port,
    received,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
