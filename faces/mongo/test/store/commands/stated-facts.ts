/**
 * What MongoDB's own tests (jstests/core) and its server's sources state about upserts, updates of arrays, $rename,
 * projections and dates: the documents after an update, the found documents, or the number of the error.
 */

/** Extended JSON of documents, or the number of an error. */
type Outcome = string | number;

export interface StatedUpdate {
  /** The documents before, with their ids. */
  readonly before: readonly string[];
  readonly q: string;
  readonly u: string;
  readonly isUpsert?: boolean;
  /** All documents afterwards, or the number of the error. */
  readonly after: Outcome;
}

const upsert = (q: string, u: string, after: Outcome): StatedUpdate => ({
  before: [],
  q,
  u,
  isUpsert: true,
  after,
});

const change = (document: string, u: string, after: Outcome): StatedUpdate => ({
  before: [document],
  q: "{}",
  u,
  after,
});

/** Updates whose filter matches nothing, with upsertId 99. */
const UPSERTS: readonly StatedUpdate[] = [
  upsert('{user:{$in:["ann"]}}', "{$inc:{hits:1}}", '{_id:99,user:"ann",hits:1}'),
  upsert('{_id:{$in:["x"]}}', "{$set:{a:1}}", '{_id:"x",a:1}'),
  upsert('{_id:{$in:["x","x"]}}', "{a:1}", '{_id:"x",a:1}'),
  upsert("{x:{$in:[1,2]}}", "{$set:{a:1}}", "{_id:99,a:1}"),
  upsert("{x:{$in:[{$regularExpression:{pattern:'a',options:''}}]}}", "{$set:{a:1}}", "{_id:99,a:1}"),
  upsert("{x:{$in:[null]}}", "{$set:{a:1}}", "{_id:99,x:null,a:1}"),
  upsert("{x:{$all:[3]}}", "{$set:{a:1}}", "{_id:99,x:3,a:1}"),
  upsert("{x:{$all:[{$elemMatch:{a:1}}]}}", "{$set:{a:1}}", "{_id:99,a:1}"),
  upsert("{x:{$all:[{$regularExpression:{pattern:'a',options:''}}]}}", "{$set:{a:1}}", "{_id:99,a:1}"),
  upsert("{x:{$all:[1,2]}}", "{$set:{a:1}}", 54),
  upsert("{x:{$eq:1,$gt:0}}", "{$set:{a:1}}", "{_id:99,x:1,a:1}"),
  upsert("{x:{$not:{$ne:1}}}", "{$set:{a:1}}", "{_id:99,a:1}"),
  upsert("{$and:[{b:1},{c:{$in:[2]}}]}", "{$set:{a:1}}", "{_id:99,b:1,c:2,a:1}"),
  upsert("{$or:[{b:1}]}", "{$set:{a:1}}", "{_id:99,b:1,a:1}"),
  upsert("{$or:[{b:1},{c:1}]}", "{$set:{a:1}}", "{_id:99,a:1}"),
  upsert("{$nor:[{b:1}]}", "{$set:{a:1}}", "{_id:99,a:1}"),
  upsert("{b:1,'c.d':2,a:3}", "{$set:{e:1}}", "{_id:99,a:3,b:1,c:{d:2},e:1}"),
  upsert("{x:{},'x.x':1}", "{$set:{a:1}}", 54),
  upsert("{'x.x':1,x:{}}", "{$set:{a:1}}", 54),
  upsert("{$and:[{x:1},{x:1}]}", "{$set:{a:1}}", 54),
  upsert("{'a.b':1,'a.c':2}", "{$inc:{y:1}}", "{_id:99,a:{b:1,c:2},y:1}"),
  upsert("{_id:1,x:1,'x.y':1}", "{a:1}", "{_id:1,a:1}"),
  upsert("{r:{a:1,b:1},'r.a':1}", "{y:1}", "{_id:99,y:1}"),
  upsert("{'_id.x':1}", "{y:1}", 111),
  upsert("{'_id.x':1}", "{$set:{y:1}}", "{_id:{x:1},y:1}"),
  upsert("{_id:{a:1,b:1},'_id.a':1}", "{$setOnInsert:{y:1}}", 54),
];

/**
 * Own fields whose names begin with a dollar: an update that inserts is treated as an insert. Sources: MongoDB's
 * manual, "Dollar-Prefixed Field Names"; storage_validation.cpp and modifier_node.cpp of MongoDB 7.0.
 */
const DOLLARS: readonly StatedUpdate[] = [
  upsert("{a:1}", "{$set:{$myKey:1,b:2}}", "{_id:99,a:1,$myKey:1,b:2}"),
  upsert("{a:1}", "{$setOnInsert:{'$myKey.b':1}}", "{_id:99,a:1,$myKey:{b:1}}"),
  upsert("{a:1}", "{$rename:{a:'$b'}}", "{_id:99,$b:1}"),
  upsert("{a:1}", "{b:1,$myKey:2}", "{_id:99,b:1,$myKey:2}"),
  { ...change("{_id:1}", "{$set:{$myKey:1}}", "{_id:1}"), q: "{_id:2}" },
  { ...change("{_id:1}", "{b:1,$myKey:1}", "{_id:1}"), q: "{_id:2}" },
  { ...change("{_id:1}", "{$set:{$myKey:1}}", 52), isUpsert: true, q: "{_id:1}" },
  change("{_id:1}", "{$set:{'$myKey.b':1}}", 52),
  change("{_id:1,$myKey:1}", "{$set:{$myKey:2}}", 52),
  change("{_id:1,$myKey:1}", "{$inc:{$myKey:1}}", 52),
  change("{_id:1,$myKey:1}", "{$set:{$myKey:1,b:2}}", "{_id:1,$myKey:1,b:2}"),
  change("{_id:1,$myKey:1}", "{$set:{b:2}}", "{_id:1,$myKey:1,b:2}"),
  change("{_id:1,$myKey:{}}", "{$set:{'$myKey.b':1}}", "{_id:1,$myKey:{b:1}}"),
  change("{_id:1,$myKey:1}", "{$unset:{$myKey:1}}", "{_id:1}"),
  change("{_id:1,$myKey:1}", "{$rename:{$myKey:'b'}}", "{_id:1,b:1}"),
  change("{_id:1,a:1}", "{$rename:{a:'$b'}}", 52),
  change("{_id:1}", "{b:1,$myKey:1}", 52),
  change(
    "{_id:1}",
    "[{$replaceWith:{$setField:{field:{$literal:'$myKey'},input:'$$ROOT',value:1}}}]",
    "{_id:1,$myKey:1}",
  ),
  change("{_id:1}", "[{$set:{$myKey:1}}]", 16410),
];

const PULLS: readonly StatedUpdate[] = [
  change('{_id:1,a:["a",["a"],[["a"]],["a","b"]]}', '{$pull:{a:{$in:["a"]}}}', '{_id:1,a:[[["a"]]]}'),
  change(
    "{_id:1,a:['ab',['ab'],'c',['c']]}",
    "{$pull:{a:{$regularExpression:{pattern:'^a',options:''}}}}",
    "{_id:1,a:['c',['c']]}",
  ),
  change("{_id:1,a:[1,[1],[1,2]]}", "{$pull:{a:1}}", "{_id:1,a:[[1],[1,2]]}"),
  change("{_id:1,a:[1,[1],[1,2]]}", "{$pull:{a:[1]}}", "{_id:1,a:[1,[1,2]]}"),
  change("{_id:1,a:[1,5,[1,5],[7]]}", "{$pull:{a:{$gt:3}}}", "{_id:1,a:[1]}"),
  change("{_id:1,a:[1,[2],[[2]],3]}", "{$pull:{a:{$ne:2}}}", "{_id:1,a:[[2]]}"),
  change("{_id:1,a:[{b:1,c:1},{b:2},[{b:1}],3]}", "{$pull:{a:{b:1}}}", "{_id:1,a:[{b:2},[{b:1}],3]}"),
  change("{_id:1,a:[{b:1},{b:2},{c:1},4]}", "{$pull:{a:{$or:[{b:1},{c:1}]}}}", "{_id:1,a:[{b:2},4]}"),
  change("{_id:1,a:[{b:1,c:1},{b:1}]}", "{$pull:{a:{$and:[{b:1},{c:1}]}}}", "{_id:1,a:[{b:1}]}"),
  change("{_id:1,a:[{b:1},{b:2},5]}", "{$pull:{a:{$nor:[{b:1}]}}}", "{_id:1,a:[{b:1},5]}"),
  change("{_id:1,a:[{$id:1},{$id:2}]}", "{$pull:{a:{$id:1}}}", "{_id:1,a:[{$id:2}]}"),
  change("{_id:1,a:1}", "{$pull:{a:1}}", 2),
  change("{_id:1,a:1}", "{$pull:{b:1}}", "{_id:1,a:1}"),
];

const ERRORS: readonly StatedUpdate[] = [
  change("{_id:1}", "{$set:{'':1}}", 56),
  change("{_id:1}", "{$set:{'a.':1}}", 56),
  change("{_id:1}", "{$inc:{'.a':1}}", 56),
  change("{_id:1}", "{$set:{$x:1}}", 52),
  change("{_id:1}", "{$inc:{$x:1}}", 52),
  change("{_id:1}", "{$unset:{$x:1}}", "{_id:1}"),
  change("{_id:1}", "{$set:{'a.$b':1}}", "{_id:1,a:{$b:1}}"),
  change("{_id:1}", "{$set:{a:{$z:1}}}", "{_id:1,a:{$z:1}}"),
  change("{_id:1,a:5}", "{$pop:{a:1}}", 14),
  change("{_id:1}", "{$pop:{a:1}}", "{_id:1}"),
  change("{_id:1,a:[1,2]}", "{$pop:{a:2}}", 9),
  change("{_id:1,a:5}", "{$push:{a:1}}", 2),
  change("{_id:1,a:5}", "{$addToSet:{a:1}}", 2),
  change("{_id:1}", "{$addToSet:{a:{$each:1}}}", 14),
  change("{_id:1}", "{$push:{a:{$each:1}}}", 2),
  change("{_id:1,a:1}", "{$rename:{a:'a'}}", 2),
  change("{_id:1,a:1}", "{$rename:{a:'a.b'}}", 2),
  change("{_id:1,a:{b:1}}", "{$rename:{'a.b':'a'}}", 2),
  change("{_id:1,a:1}", "{$rename:{a:1}}", 2),
  change("{_id:1,a:1}", "{$rename:{a:''}}", 56),
  change("{_id:1,a:1}", "{$rename:{'':'a'}}", 56),
  change("{_id:1,a:1}", "{$rename:{a:'b\\u0000c'}}", 2),
  change("{_id:1,a:1}", "[{$replaceWith:{$setField:{field:'b\\u0000c',input:'$$ROOT',value:1}}}]", 16411),
  change("{_id:1,a:1}", "[{$replaceWith:{$arrayToObject:[[['b\\u0000c',1]]]}}]", 4940400),
  change("{_id:1,a:1}", "{$rename:{a:'$b'}}", 52),
  change("{_id:1,a:1}", "{$rename:{b:'a'}}", "{_id:1,a:1}"),
  change("{_id:1,a:1,b:2}", "{$rename:{a:'b'}}", "{_id:1,b:1}"),
  change("{_id:1,a:[{b:1}]}", "{$rename:{'a.b':'c'}}", 28),
  change("{_id:1,a:5}", "{$rename:{'a.b':'c'}}", 28),
  change("{_id:1,a:[1]}", "{$rename:{'a.0':'c'}}", 2),
  change("{_id:1,a:[1],b:2}", "{$rename:{b:'a.0'}}", 2),
  change("{_id:1,a:{}}", "{$rename:{'a.b.c':'d'}}", "{_id:1,a:{}}"),
];

/** Paths with `$`. Each is refused before a document is read. */
const POSITIONAL: readonly StatedUpdate[] = [
  ...["x.$.t.$", "x.$.$", "$.x.$", "x.$[].t.$.u.$"].flatMap((path) =>
    ["$set", "$unset", "$inc", "$push", "$pull"].map((operator) =>
      change("{_id:1,x:[{t:[1]}]}", `{${operator}:{'${path}':1}}`, 2),
    ),
  ),
  { ...change("{_id:1,x:[{t:[1]}]}", "{$set:{'x.$.t.$':1}}", 2), q: "{x:{$elemMatch:{t:1}}}" },
  { ...change("{_id:1,x:[{t:[1]}]}", "{$set:{'x.$.t.$':1}}", 2), q: "{_id:2}" },
  { ...change("{_id:1,x:[{t:[1]}]}", "{$set:{'x.$.t.$[]':2}}", "{_id:1,x:[{t:[2]}]}"), q: "{'x.t':1}" },
  { ...change("{_id:1,x:[{t:[1]}]}", "{$set:{'x.$[].t.$[]':2}}", "{_id:1,x:[{t:[2]}]}"), q: "{_id:1}" },
  change("{_id:1,x:[1]}", "{$set:{'x..$.t.$':1}}", 56),
  change("{_id:1,x:[1]}", "{$set:{'$':1}}", 2),
  change("{_id:1,x:[1]}", "{$set:{'$[]':1}}", 2),
];

const PUSHES: readonly StatedUpdate[] = [
  change("{_id:1,a:[1]}", "{$push:{a:{$each:[3,2],$sort:1}}}", "{_id:1,a:[1,2,3]}"),
  change("{_id:1,a:[1]}", "{$push:{a:{$each:[2,3],$slice:-2}}}", "{_id:1,a:[2,3]}"),
  change("{_id:1,a:[1]}", "{$push:{a:{$each:[2,3],$slice:0}}}", "{_id:1,a:[]}"),
  change("{_id:1,a:[1,2]}", "{$push:{a:{$each:[9],$position:-1}}}", "{_id:1,a:[1,9,2]}"),
  change("{_id:1,a:[1]}", "{$push:{a:[2]}}", "{_id:1,a:[1,[2]]}"),
  change("{_id:1}", "{$push:{a:{$each:[]}}}", "{_id:1,a:[]}"),
];

export const STATED_UPDATES: readonly StatedUpdate[] = [
  ...UPSERTS,
  ...DOLLARS,
  ...PULLS,
  ...ERRORS,
  ...POSITIONAL,
  ...PUSHES,
];

/** Finds in a collection with one document. */
export const STATED_FINDS: readonly (readonly [document: string, spec: string, found: Outcome])[] = [
  ["{_id:1,a:1,b:2}", "{projection:{a:0,b:1}}", 31253],
  ["{_id:1,a:1,b:2}", "{projection:{a:1,b:0}}", 31254],
  ["{_id:1,a:1,b:2}", "{projection:{_id:0,a:1}}", "{a:1}"],
  ["{_id:1,a:1,b:2}", "{projection:{_id:1,a:0}}", "{_id:1,b:2}"],
  ["{_id:1,b:2}", "{projection:{_id:'$b'}}", "{_id:2}"],
  ["{_id:1,b:2}", "{projection:{_id:{$add:['$b',1]},b:1}}", "{b:2,_id:3}"],
  ["{_id:1,b:2}", "{projection:{b:1,_id:{$literal:'x'}}}", "{b:2,_id:'x'}"],
  ["{_id:{x:1,y:2},b:2}", "{projection:{'_id.x':1,b:1}}", "{_id:{x:1},b:2}"],
  ["{_id:{x:1,y:2},b:2}", "{projection:{_id:{y:1}}}", "{_id:{y:2}}"],
  ["{_id:{x:1,y:2},b:2}", "{projection:{'_id.x':0}}", "{_id:{y:2},b:2}"],
  ["{_id:{x:1,y:2},b:2}", "{projection:{_id:{z:'$b'}}}", "{_id:{z:2}}"],
  ["{_id:{x:1,y:2},b:2}", "{projection:{_id:1,'_id.x':1}}", 31250],
  ["{_id:{x:1,y:2},b:2}", "{projection:{'_id.x':1,_id:0}}", 31250],
  ["{_id:1,b:2}", "{projection:{b:0,_id:'$b'}}", 31310],
  ["{_id:1,b:{c:1}}", "{projection:{b:1,'b.c':1}}", 31249],
  ["{_id:1,b:{c:1}}", "{projection:{'b.c':1,b:1}}", 31250],
  ["{_id:1,a:1}", "{projection:{a:0,x:{$add:[1,1]}}}", 31252],
  ["{_id:1,a:1}", "{projection:{a:0,x:'text'}}", 31310],
  ["{_id:1,a:1,b:[1,2]}", "{projection:{b:{$elemMatch:{$gt:1}}}}", "{_id:1,b:[2]}"],
  ["{_id:1,a:1,b:[1,2]}", "{projection:{a:0,b:{$elemMatch:{$gt:1}}}}", "{_id:1,b:[2]}"],
  ["{_id:1,a:1,b:[1,2]}", "{projection:{b:{$elemMatch:{$gt:1}},a:0}}", "{_id:1,b:[2]}"],
  ["{_id:1,a:1,b:[1,2]}", "{projection:{b:{$slice:1}}}", "{_id:1,a:1,b:[1]}"],
  ["{_id:1,r:[{$ref:'c',$id:7}]}", "{filter:{r:{$elemMatch:{$id:7}}}}", "{_id:1,r:[{$ref:'c',$id:7}]}"],
  ["{_id:1,r:[{$ref:'c',$id:7}]}", "{filter:{r:{$elemMatch:{$id:8}}}}", ""],
  ["{_id:1,r:{$ref:'c',$id:7}}", "{filter:{r:{$in:[{$ref:'c',$id:7}]}}}", "{_id:1,r:{$ref:'c',$id:7}}"],
  ["{_id:1,r:{$ref:'c',$id:7}}", "{filter:{r:{$in:[{$ref:'c',$id:8}]}}}", ""],
  ["{_id:1,r:{$ref:'c',$id:7}}", "{filter:{r:{$nin:[{$ref:'c',$id:7}]}}}", ""],
  ["{_id:1,r:[{$ref:'c',$id:7}]}", "{filter:{r:{$all:[{$ref:'c',$id:7}]}}}", "{_id:1,r:[{$ref:'c',$id:7}]}"],
  ["{_id:1,r:{$id:7,$ref:'c'}}", "{filter:{r:{$id:7,$ref:'c'}}}", "{_id:1,r:{$id:7,$ref:'c'}}"],
  ["{_id:1,r:{$ref:'c',$id:7}}", "{projection:{'r.$id':1}}", "{_id:1,r:{$id:7}}"],
  ["{_id:1,r:{$ref:'c',$id:7}}", "{projection:{'r.$id':0}}", "{_id:1,r:{$ref:'c'}}"],
  ["{_id:1,r:{$ref:'c',$id:7}}", "{filter:{$expr:{$eq:['$r.$id',7]}},projection:{_id:1}}", "{_id:1}"],
  ["{_id:1,r:{$x:7}}", "{filter:{$expr:{$eq:['$r.$x',7]}}}", 16410],
  ["{_id:1,r:1}", "{filter:{r:{$in:[{$ref:'c'}]}}}", 2],
  ["{_id:1,r:1}", "{filter:{r:{$nin:[{$gt:1}]}}}", 2],
  ["{_id:1,r:1}", "{filter:{r:{$id:7}}}", 2],
];

/** Arrays, and the results of `$arrayToObject`. Source: expression.cpp and jstests/aggregation of MongoDB 7.0. */
const ARRAYS_TO_OBJECTS: readonly (readonly [array: string, result: Outcome])[] = [
  ["[]", "{}"],
  ["[['a',1],['b',null]]", "{a:1,b:null}"],
  ["[['a',1],['a',2]]", "{a:2}"],
  ["[{k:'a',v:1},{v:[2],k:'b'}]", "{a:1,b:[2]}"],
  ["[['$a',1],['',2],['b.c',3]]", "{$a:1,'':2,'b.c':3}"],
  ["'x'", 40386],
  ["[1]", 40398],
  ["[null,['a',1]]", 40398],
  ["[['a',1],5]", 40396],
  ["[['a',1],{k:'b',v:2}]", 40396],
  ["[['a']]", 40397],
  ["[['a',1,2]]", 40397],
  ["[[]]", 40397],
  ["[[1,2]]", 40395],
  ["[[null,2]]", 40395],
  ["[['a\\u0000b',1]]", 4940400],
  ["[{k:'a',v:1},['b',2]]", 40391],
  ["[{k:'a',v:1},null]", 40391],
  ["[{}]", 40392],
  ["[{k:'a'}]", 40392],
  ["[{k:'a',v:1,x:2}]", 40392],
  ["[{k:'a',x:1}]", 40393],
  ["[{x:'a',v:1}]", 40393],
  ["[{k:1,v:1}]", 40394],
  ["[{k:null,v:1}]", 40394],
  ["[{k:'a\\u0000b',v:1}]", 4940401],
];

/** Stages with names in operands that contain a zero byte. */
const ZERO_BYTES: readonly (readonly [pipeline: string, result: Outcome])[] = [
  ["[{$project:{r:{$setField:{field:'a\\u0000b',input:'$$ROOT',value:1}}}}]", 16411],
  ["[{$project:{r:{$unsetField:{field:'a\\u0000b',input:'$$ROOT'}}}}]", 16411],
  ["[{$project:{r:{$getField:{$literal:'a\\u0000b'}}}}]", 16411],
  ["[{$project:{r:'$a\\u0000b'}}]", 16411],
  ["[{$group:{_id:'$a\\u0000b'}}]", 16411],
  ["[{$sortByCount:'$a\\u0000b'}]", 16411],
  ["[{$unset:'a\\u0000b'}]", 16411],
  ["[{$unwind:'$a\\u0000b'}]", 16411],
  ["[{$unwind:{path:'$l',includeArrayIndex:'i\\u0000j'}}]", 16411],
  ["[{$lookup:{from:'c',localField:'l',foreignField:'l',as:'x\\u0000y'}}]", 16411],
  ["[{$count:'n\\u0000m'}]", 40156],
];

/** Pipelines, and their results for a collection with one document. */
export const STATED_PIPELINES: readonly (readonly [document: string, pipeline: string, result: Outcome])[] = [
  ...ARRAYS_TO_OBJECTS.map(([array, result]): [string, string, Outcome] => [
    "{_id:1}",
    `[{$replaceWith:{$arrayToObject:{$literal:${array}}}}]`,
    result,
  ]),
  ...ZERO_BYTES.map(([pipeline, result]): [string, string, Outcome] => ["{_id:1,l:[1]}", pipeline, result]),
  ["{_id:1,u:2}", "[{$project:{_id:'$u'}}]", "{_id:2}"],
  ["{_id:1,u:2}", "[{$group:{_id:'$u',n:{$sum:1}}},{$project:{_id:'$_id',n:1}}]", "{n:1,_id:2}"],
  ["{_id:1,u:2}", "[{$group:{_id:{k:'$u'},n:{$sum:1}}},{$project:{_id:'$_id.k'}}]", "{_id:2}"],
  ["{_id:1,u:2}", "[{$project:{'_id.k':'$u'}}]", "{_id:{k:2}}"],
  ["{_id:1,r:{$ref:'c',$id:7}}", "[{$group:{_id:'$r.$id'}}]", "{_id:7}"],
  ["{_id:1,r:{$ref:'c',$id:7}}", "[{$set:{'r.$id':8}}]", "{_id:1,r:{$ref:'c',$id:8}}"],
  ["{_id:1,s:'1e308'}", "[{$project:{_id:0,r:{$eq:[{$toDouble:'$s'},1e308]}}}]", "{r:true}"],
  ["{_id:1,s:'1e309'}", "[{$project:{_id:0,r:{$toDouble:'$s'}}}]", 241],
  ["{_id:1,s:'-1e309'}", "[{$project:{_id:0,r:{$toDouble:'$s'}}}]", 241],
  ["{_id:1,n:-0}", "[{$project:{_id:0,r:{$toString:'$n'}}}]", "{r:'-0'}"],
  ["{_id:1,n:0.0}", "[{$project:{_id:0,r:{$toString:'$n'}}}]", "{r:'0'}"],
  [
    "{_id:1,s:'2023-02-28'}",
    "[{$project:{_id:0,r:{$toDate:'$s'}}}]",
    '{r:{$date:{$numberLong:"1677542400000"}}}',
  ],
  [
    "{_id:1,s:'2024-02-29T23:30-01:00'}",
    "[{$project:{_id:0,r:{$toDate:'$s'}}}]",
    '{r:{$date:{$numberLong:"1709253000000"}}}',
  ],
  ["{_id:1,s:'2023-02-30'}", "[{$project:{_id:0,r:{$toDate:'$s'}}}]", 241],
  ["{_id:1,s:'2023-02-29T10:00:00Z'}", "[{$project:{_id:0,r:{$toDate:'$s'}}}]", 241],
  ["{_id:1,s:'2023-02-30T10:00+02:00'}", "[{$project:{_id:0,r:{$toDate:'$s'}}}]", 241],
  ["{_id:1,s:'2023-04-31T10:00'}", "[{$project:{_id:0,r:{$toDate:'$s'}}}]", 241],
  ["{_id:1,s:'2023-01-01T24:00:00Z'}", "[{$project:{_id:0,r:{$toDate:'$s'}}}]", 241],
];

/** Expressions on dates: the operator's name and operand without the date, the date, and the result. */
export const STATED_DATES: readonly (readonly [
  operator: string,
  operand: string,
  date: string,
  result: string | number,
])[] = [
  ["$dateToString", "timezone:'UTC'", "2017-01-04T15:08:51.911Z", '"2017-01-04T15:08:51.911Z"'],
  ["$dateToString", "timezone:'+02:00'", "2017-01-04T15:08:51.911Z", '"2017-01-04T17:08:51.911"'],
  ["$dateToString", "timezone:'-0330'", "2017-01-04T02:08:51.911Z", '"2017-01-03T22:38:51.911"'],
  ["$dateToString", "timezone:'+05',format:'%H %z %Z'", "2017-01-04T15:08:51.911Z", '"20 +0500 +300"'],
  ["$dateToString", "timezone:'-00:30',format:'%z %Z'", "2017-01-04T15:08:51.911Z", '"-0030 -030"'],
  ["$dateToString", "timezone:'Europe/Paris'", "2017-01-04T15:08:51.911Z", 238],
  ["$dateToString", "timezone:'+1'", "2017-01-04T15:08:51.911Z", 40485],
  ["$dateToString", "timezone:1", "2017-01-04T15:08:51.911Z", 40517],
  ["$dateToString", "timezone:null", "2017-01-04T15:08:51.911Z", "null"],
  ["$dateToString", "format:'%G-%V-%u %U'", "2016-01-01T00:00:00Z", '"2015-53-5 00"'],
  ["$dateToString", "format:'%G-%V-%u %U'", "2017-01-01T00:00:00Z", '"2016-52-7 01"'],
  ["$dateToString", "format:'%G-%V-%u %U'", "2018-12-31T00:00:00Z", '"2019-01-1 52"'],
  ["$dateToString", "format:'%i'", "2017-01-04T15:08:51.911Z", 18536],
  ["$hour", "timezone:'+09:30'", "2017-01-04T15:08:51.911Z", "0"],
  ["$dayOfMonth", "timezone:'+09:30'", "2017-01-04T15:08:51.911Z", "5"],
  ["$hour", "timezone:null", "2017-01-04T15:08:51.911Z", "null"],
];
