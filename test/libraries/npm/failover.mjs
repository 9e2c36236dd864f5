/**
 * Writes and reads through mongoose, one operation after the other, until its input ends. Prints the number of
 * successful operations, and at the end the number of failed ones by error. Argument: the connection string.
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
