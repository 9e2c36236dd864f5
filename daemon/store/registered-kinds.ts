/** Registers the kinds of values of the faces. Import this file to read snapshots. */
import { DOCUMENT_KIND } from "../../faces/json/store/values/document.js";
import { COLLECTION_KIND } from "../../faces/mongo/store/values/collection.js";
import { STREAM_KIND } from "../../faces/redis/store/values/streams/stream.js";
import { TABLE_KIND } from "../../faces/sql/store/values/table.js";
import { registerValueKind } from "./values/value-kinds.js";

for (const kind of [STREAM_KIND, DOCUMENT_KIND, TABLE_KIND, COLLECTION_KIND]) registerValueKind(kind);
