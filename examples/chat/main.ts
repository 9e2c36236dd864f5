/** The program of the chat server: `node dist/examples/chat/main.js [settings file]`. */
import { ChatServer } from "./server.js";
import { readSettings } from "./settings.js";

const log = (line: string) => console.error(`${new Date().toISOString()} ${line}`);

try {
  const server = new ChatServer(readSettings(process.argv[2] ?? null), log);
  await server.start();
  console.log(`chat at ${server.address.replace(/^ws/, "http")}/`);
  for (const signal of ["SIGINT", "SIGTERM"] as const)
    process.once(signal, () => void server.stop().then(() => process.exit()));
} catch (problem) {
  console.error(problem instanceof Error ? problem.message : problem);
  process.exit(1);
}
