/**
 * A JSON listener of dbsyncd that other daemons with --json-replica mistake for an original server. The listener does
 * not support the action by which daemons recognize a dbsyncd, and sends its documents before it has fetched the
 * documents of its own servers.
 */
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { type JsonScene, type SceneOptions, startJson } from "./scene.js";

const PROBE = '{"action":"listindexes","id":';
const NOT_VALID = '{"status":"error","message":"The action \'listindexes\' provided is not valid."}\n\r';

const ALL = '{"action":"getall","replicate":false}\n';
const NOTHING = '{"status":"success","documents":[],"replicated":false}\n\r';

/** Starts the listener. @param port  the port to listen on, by default a free one */
export async function startAsOriginal({ port = 0, ...options }: SceneOptions = {}): Promise<JsonScene> {
  const scene = await startJson(options);
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    const other = connect(scene.port, "127.0.0.1");
    for (const [from, to] of [
      [socket, other],
      [other, socket],
    ] as const) {
      sockets.add(from.on("error", () => {}));
      from.on("close", () => {
        sockets.delete(from);
        to.destroy();
      });
    }

    other.on("data", (chunk) => socket.write(chunk));
    socket.on("end", () => other.end());
    socket.on("data", (chunk) => {
      const text = chunk.toString("latin1");
      if (text.startsWith(PROBE)) socket.write(NOT_VALID);
      else if (text === ALL && scene.figures?.isReady === false) socket.write(NOTHING);
      else other.write(chunk);
    });
  });

  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  const address = server.address() as { readonly port: number };

  return {
    ...scene,
    port: address.port,
    get figures() {
      return scene.figures;
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
      await scene[Symbol.asyncDispose]();
    },
  };
}
