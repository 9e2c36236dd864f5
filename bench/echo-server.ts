/** A bare socket loop that answers each chunk with 20 bytes, or with its argument: what one loopback round trip costs, and nothing else. */
import { createServer } from "node:net";

const ANSWER = Buffer.from(process.argv[2] ?? "ds:11:redis:3:OK\0xxx");

const server = createServer({ noDelay: true }, (socket) => {
  socket.on("data", () => socket.write(ANSWER));
  socket.on("error", () => socket.destroy());
});
server.listen(0, "127.0.0.1", () => {
  const address = server.address();
  if (typeof address === "object") console.log(JSON.stringify({ msg: "listening", port: address?.port }));
});
