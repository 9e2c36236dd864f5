/** A model of mongoose: schema, validation, unique, references, middleware, queries. Argument: the port. */
import assert from "node:assert/strict";
import mongoose from "mongoose";

await mongoose.connect(`mongodb://127.0.0.1:${process.argv[2]}/blog`);
await mongoose.connection.dropDatabase();

const authorSchema = new mongoose.Schema(
  {
    name: { type: String, required: true },
    mail: { type: String, unique: true },
    age: { type: Number, min: 0, index: true },
  },
  { timestamps: true },
);
const postSchema = new mongoose.Schema({
  title: String,
  author: { type: mongoose.Schema.Types.ObjectId, ref: "Author" },
  comments: [{ text: String, at: { type: Date, default: Date.now } }],
  likes: { type: Number, default: 0 },
  price: mongoose.Schema.Types.Decimal128,
});
const Author = mongoose.model("Author", authorSchema);
const Post = mongoose.model("Post", postSchema);
await Author.init();

const ann = await Author.create({ name: "Ann", mail: "ann@example", age: 40 });
assert.ok(ann.createdAt instanceof Date);
await assert.rejects(Author.create({ name: "Other", mail: "ann@example" }), { code: 11000 });
await assert.rejects(Author.create({ mail: "no@name" }), /name.*required/);
const post = await Post.create({ title: "One", author: ann, comments: [{ text: "first" }], price: "1.10" });
post.comments.push({ text: "second" });
post.title = "One more";
await post.save();
await Post.updateOne({ _id: post._id }, { $inc: { likes: 3 } });
const found = await Post.findOne({ "comments.text": "second" }).populate("author").orFail();
assert.deepEqual(
  [found.title, found.author.name, found.likes, String(found.price)],
  ["One more", "Ann", 3, "1.10"],
);
found.comments.pull(found.comments[0]);
await found.save();
assert.deepEqual(
  (await Post.findById(post._id)).comments.map(({ text }) => text),
  ["second"],
);
await Author.insertMany(
  Array.from({ length: 30 }, (_, n) => ({ name: `A${n}`, mail: `${n}@example`, age: n })),
);
const page = await Author.find({ age: { $gte: 10 } })
  .sort("-age")
  .skip(1)
  .limit(3)
  .select("name -_id")
  .lean();
assert.deepEqual(page, [{ name: "A29" }, { name: "A28" }, { name: "A27" }]);
assert.equal(await Author.countDocuments({ age: { $lt: 5 } }), 5);
const [{ mean }] = await Author.aggregate([{ $group: { _id: null, mean: { $avg: "$age" } } }]);
assert.equal(Math.round(mean), 15);
const after = await Author.findOneAndUpdate(
  { mail: "new@example" },
  { name: "New" },
  { upsert: true, returnDocument: "after" },
);
assert.equal(after.name, "New");
let streamed = 0;
for await (const _ of Author.find().cursor({ batchSize: 7 })) streamed++;
assert.equal(streamed, 32);
assert.equal((await Author.deleteMany({ name: /^A\d/ })).deletedCount, 30);
await mongoose.disconnect();
