"""pymongo: the examples of its tutorial. Argument: the port."""
import sys
from datetime import datetime, timezone

from bson import Binary, Decimal128, Int64, ObjectId
from pymongo import ASCENDING, DESCENDING, MongoClient, ReturnDocument, UpdateOne
from pymongo.errors import BulkWriteError, ConfigurationError, DuplicateKeyError, OperationFailure

client = MongoClient("127.0.0.1", int(sys.argv[1]), tz_aware=True)
client.drop_database("tutorial")
db = client.tutorial
posts = db.posts

date = datetime(2026, 11, 22, 3, 0, 0, 123000, tzinfo=timezone.utc)
post = {
    "author": "Mike",
    "tags": ["mongodb", "python"],
    "date": date,
    "long": Int64(2**60),
    "price": Decimal128("1.10"),
    "bytes": Binary(b"\x00\xff", 128),
}
post_id = posts.insert_one(post).inserted_id
assert isinstance(post_id, ObjectId)
found = posts.find_one({"_id": post_id})
assert found == post, found
assert isinstance(found["long"], Int64)
posts.insert_many({"author": "Eliot", "n": n} for n in range(300))
assert posts.count_documents({"author": "Eliot"}) == 300
assert [p["n"] for p in posts.find({"n": {"$gt": 290}}).sort("n", DESCENDING).limit(3)] == [299, 298, 297]
assert sum(1 for _ in posts.find({}, batch_size=50)) == 301
assert posts.update_many({"n": {"$lt": 10}}, {"$inc": {"n": 1000}}).modified_count == 10
changed = posts.find_one_and_update({"n": 1000}, {"$push": {"tags": "x"}}, return_document=ReturnDocument.AFTER)
assert changed["tags"] == ["x"]
assert posts.replace_one({"n": 1001}, {"whole": True}).modified_count == 1
assert posts.update_one({"author": "New"}, {"$set": {"a": 1}}, upsert=True).upserted_id is not None
assert sorted(posts.distinct("author")) == ["Eliot", "Mike", "New"]
grouped = posts.aggregate([{"$match": {"author": "Eliot"}}, {"$group": {"_id": "$author", "most": {"$max": "$n"}}}])
assert list(grouped) == [{"_id": "Eliot", "most": 1009}]

profiles = db.profiles
profiles.create_index([("user_id", ASCENDING)], unique=True)
profiles.insert_many([{"user_id": 211}, {"user_id": 212}])
try:
    profiles.insert_one({"user_id": 212})
    raise AssertionError("inserted twice")
except DuplicateKeyError as problem:
    assert problem.code == 11000
try:
    profiles.insert_many([{"user_id": 213}, {"user_id": 211}, {"user_id": 214}], ordered=False)
    raise AssertionError("inserted twice")
except BulkWriteError as problem:
    assert [error["index"] for error in problem.details["writeErrors"]] == [1]
    assert problem.details["nInserted"] == 2
assert profiles.bulk_write([UpdateOne({"user_id": 211}, {"$set": {"a": 1}})]).modified_count == 1
assert sorted(profiles.index_information()) == ["_id_", "user_id_1"]
assert sorted(db.list_collection_names()) == ["posts", "profiles"]
assert "tutorial" in client.list_database_names()
# A daemon with peers announces itself as one of several servers without sessions.
if "logicalSessionTimeoutMinutes" in client.admin.command("hello"):
    with client.start_session() as session:
        posts.insert_one({"in": "a session"}, session=session)
        try:
            with session.start_transaction():
                posts.insert_one({"in": "a transaction"}, session=session)
            raise AssertionError("a transaction was accepted")
        except OperationFailure as problem:
            assert problem.code == 238, problem
else:
    try:
        client.start_session()
        raise AssertionError("a session was started")
    except ConfigurationError:
        pass
assert profiles.delete_many({}).deleted_count == 4
profiles.drop()
client.drop_database("tutorial")
