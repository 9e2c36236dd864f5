/** `npm run rooms`: the rooms of daemon/, how many files each holds and which others it knows; then the largest folders. */
import { arrows, folderSizes, PROGRAMS, roomsOfReadme, sizes } from "./rooms.js";

const known = arrows();
const held = sizes();
const order = [...roomsOfReadme().keys()];
const rooms = [...order, ...[...held.keys()].filter((room) => !order.includes(room))];
const rank = (room: string) => (room === PROGRAMS ? rooms.length : rooms.indexOf(room));

let count = 0;
let up = 0;
for (const room of rooms) {
  const others = [...(known.get(room)?.keys() ?? [])].sort((one, other) => rank(one) - rank(other));
  if (room !== PROGRAMS) count += others.length;
  up += others.filter((other) => rank(other) >= rank(room)).length;
  const name = room === PROGRAMS ? "(programs)" : room;
  console.log(`${name.padEnd(24)}${String(held.get(room) ?? 0).padStart(4)} files   ${others.join(", ")}`);
}
const wired = known.get(PROGRAMS)?.size ?? 0;
console.log(
  `${rooms.length} rooms, ${count + wired} arrows (${wired} of the programs), ${up} of them up. Largest folders:`,
);
const folders = [...folderSizes()].filter(([folder]) => !/^(test|bench)\b/.test(folder));
for (const [folder, files] of folders.sort(([, one], [, other]) => other - one).slice(0, 10))
  console.log(`${folder.padEnd(24)}${String(files).padStart(4)} files`);
