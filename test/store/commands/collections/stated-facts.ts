/**
 * What MongoDB's own tests (jstests/core) and its server's sources state about dates: the results, or the
 * numbers of the errors.
 */

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
