/**
 * Writes and reads through mongoose, one operation after the other, until its input ends. Argument: the connection string. Prints the number
 * of operations that have succeeded, and in the end those that failed, by their errors.
 */
import mongoose from "mongoose";

await mongoose.connect(process.argv[2], { serverSelectionTimeoutMS: 30_000 });
const Item = mongoose.model("Item", new mongoose.Schema({ n: Number }));
let [isOver, done] = [false, 0];
const errors = {};
process.stdin.resume().once("end", () => {
  isOver = true;
});
while (!isOver)
  try {
    await Item.create({ n: done });
    await Item.findOne({ n: done });
    console.log(++done);
  } catch (error) {
    const name = `${error.name}: ${error.message}`;
    errors[name] = (errors[name] ?? 0) + 1;
  }
console.log(JSON.stringify(errors));
await mongoose.disconnect();
