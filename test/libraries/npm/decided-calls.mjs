/**
 * Increments a number by a library with its default options, once for each line of the input, which names the key.
 * Prints "ready", and for each call the library's answer or error as a line of JSON. Arguments: the library, a port.
 */
import { createInterface } from "node:readline";

const [library, port] = process.argv.slice(2);
const CALLS = {
  async ioredis() {
    const { Redis } = await import("ioredis");
    const redis = new Redis({ port: Number(port) });
    redis.on("error", () => {});
    await redis.ping();
    return (key) => redis.incr(key);
  },
  async "node-redis"() {
    const { createClient } = await import("redis");
    const redis = createClient({ socket: { port: Number(port) } });
    redis.on("error", () => {});
    await redis.connect();
    return (key) => redis.incr(key);
  },
  async mongodb() {
    const { MongoClient } = await import("mongodb");
    const client = await new MongoClient(`mongodb://127.0.0.1:${port}`).connect();
    const items = client.db("shop").collection("items");
    return (key) => items.updateOne({ _id: key }, { $inc: { n: 1 } });
  },
  async mongoose() {
    const { default: mongoose } = await import("mongoose");
    await mongoose.connect(`mongodb://127.0.0.1:${port}/shop`);
    const schema = new mongoose.Schema({ _id: String, n: Number });
    const Item = mongoose.model("Item", schema, "items");
    return (key) => Item.updateOne({ _id: key }, { $inc: { n: 1 } });
  },
};

const call = await CALLS[library]();
console.log("ready");
for await (const key of createInterface({ input: process.stdin })) {
  try {
    console.log(JSON.stringify({ answer: await call(key) }));
  } catch (error) {
    const { name, message, code, errorLabels } = error;
    console.log(JSON.stringify({ error: `${name}: ${message}`, code, errorLabels }));
  }
}
process.exit();
