/** What the dataplane keeps for LOG rules: the same on both ways of a packet, in order, and nothing unless it is asked. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Dataplane } from '../../src/dataplane/dataplane.ts';
import { type LoggedLine, takeLines } from '../../src/dataplane/log/lines.ts';
import { play } from '../../src/replay/player.ts';
import { BACKEND, createJudge, FRONTEND, FRONTEND_TAG, type Frame, sourceOf, tunnelled } from './judging.ts';
import { type Ends, FLAG, icmp, ipv4, tcp, udp } from './packets.ts';

const test = suite('dataplane/log-keep');

const ENDS: Ends = { source: FRONTEND, destination: BACKEND };
const table = (rules: readonly string[]): string =>
  `*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n${rules.join('\n')}\nCOMMIT\n`;
const LOG_AND_MARK = table([
  '-A FORWARD -j LOG --log-prefix "before "',
  '-A FORWARD -j MARK --set-xmark 0x7/0xff',
  '-A FORWARD -p tcp -m tcp --dport 8080 -j LOG --log-prefix "after " --log-level 6',
  '-A FORWARD -j NFLOG --nflog-group 5',
]);
const RULES = { 'cell-a': LOG_AND_MARK, 'cell-b': LOG_AND_MARK };

const packet = (octets: Uint8Array, time?: number): Frame => ({
  octets: tunnelled('b', octets, { groupId: FRONTEND_TAG }),
  ...(time === undefined ? {} : { time }),
});

/** Everything that is logged for `frames`, taken after every burst of `size`. */
async function linesOf(dataplane: Dataplane, frames: readonly Frame[], size = 256): Promise<LoggedLine[]> {
  const lines: LoggedLine[] = [];
  await play(sourceOf(frames, size), dataplane, [
    () => void lines.push(...takeLines(dataplane.logs!, dataplane.cells, dataplane.interfaces)),
  ]);
  assert.is(dataplane.logs!.lost, 0);
  return lines;
}

const told = (lines: readonly LoggedLine[]): object[] =>
  lines.map(({ cell, time, target, text }) => ({ cell: cell.name, time, level: target.level, text }));

const MIXED: readonly Frame[] = [
  packet(ipv4(ENDS, 6, tcp(ENDS, 42_001, 8080, { flags: FLAG.SYN }), { timeToLive: 63 })),
  packet(ipv4(ENDS, 17, udp(ENDS, 42_002, 53, [1, 2, 3]), { typeOfService: 0xb9 })),
  packet(ipv4(ENDS, 6, tcp(ENDS, 42_003, 22, { flags: FLAG.SYN }))),
  packet(ipv4(ENDS, 1, icmp(8, 0, 7))),
];

test('the straight way and the general one keep the same', async () => {
  const straight = createJudge({ rules: RULES, options: { keepLogs: true } });
  const general = createJudge({ rules: RULES, options: { keepLogs: true, strictChecksums: true } });
  const lines = told(await linesOf(straight, MIXED));
  // Both cells, four packets, "before" for each and "after" for one.
  assert.is(lines.length, 2 * (4 + 1));
  assert.equal(told(await linesOf(general, MIXED)), lines);
});

test('a packet is logged where it leaves and where it arrives, as it is there', async () => {
  const dataplane = createJudge({ rules: RULES, options: { keepLogs: true } });
  const lines = await linesOf(dataplane, MIXED.slice(0, 1));
  const rest = (timeToLive: number): string =>
    `SRC=10.255.1.4 DST=10.255.2.7 LEN=40 TOS=0x00 PREC=0x00 TTL=${timeToLive} ID=4660 PROTO=TCP SPT=42001 DPT=8080 ` +
    'WINDOW=64240 RES=0x00 SYN URGP=0 ';
  const leaves = 'IN=s-010255001004 OUT=silk-vtep MAC=aa:aa:0a:ff:01:04:ee:ee:0a:ff:01:04:08:00';
  const arrives = 'IN=silk-vtep OUT=s-010255002007 MAC=ee:ee:0a:ff:02:00:ee:ee:0a:ff:01:00:08:00';
  assert.equal(told(lines), [
    { cell: 'cell-a', time: 0, level: 4, text: `before ${leaves} ${rest(63)}` },
    { cell: 'cell-a', time: 0, level: 6, text: `after ${leaves} ${rest(63)}MARK=0x7 ` },
    { cell: 'cell-b', time: 0, level: 4, text: `before ${arrives} ${rest(62)}MARK=0x1 ` },
    { cell: 'cell-b', time: 0, level: 6, text: `after ${arrives} ${rest(62)}MARK=0x7 ` },
  ]);
});

test('fragments are logged where they arrive as the datagram they make, when it is whole', async () => {
  const whole = udp(
    ENDS,
    42_004,
    9,
    Array.from({ length: 24 }, () => 1),
  );
  const frames = [
    packet(ipv4(ENDS, 17, whole.slice(16), { fragment: 2 }), 10),
    packet(ipv4(ENDS, 17, whole.slice(0, 16), { fragment: 0x2000 }), 20),
  ];
  const lines = await linesOf(
    createJudge({ rules: { 'cell-b': LOG_AND_MARK }, options: { keepLogs: true } }),
    frames,
    1,
  );
  assert.is(lines.length, 1);
  assert.is(lines[0]!.time, 20);
  assert.match(lines[0]!.text, /^before IN=silk-vtep .* MAC=ee:ee:0a:ff:02:00:ee:ee:0a:ff:01:00:08:00 .* LEN=52 /);
  assert.match(lines[0]!.text, / ID=4660 PROTO=UDP SPT=42004 DPT=9 LEN=32 MARK=0x1 $/);
});

test('nothing is kept unless asked, and no more than there is room for when nobody reads', async () => {
  const silent = createJudge({ rules: RULES });
  await play(sourceOf(MIXED), silent, []);
  assert.is(silent.logs, null);
  const unread = createJudge({ rules: { 'cell-b': LOG_AND_MARK }, options: { keepLogs: true } });
  await play(sourceOf(Array.from({ length: 600 }, () => MIXED[0]!)), unread, []);
  assert.is(unread.logs!.lost, 600 - 512);
  assert.is(takeLines(unread.logs!, unread.cells, unread.interfaces).length, 2 * 512);
  assert.is(takeLines(unread.logs!, unread.cells, unread.interfaces).length, 0);
});

test('more LOG rules than are remembered: the first ones are told', async () => {
  const many = table(Array.from({ length: 20 }, (_, i) => `-A FORWARD -j LOG --log-prefix "rule ${i} "`));
  const dataplane = createJudge({ rules: { 'cell-b': many }, options: { keepLogs: true } });
  const lines = await linesOf(dataplane, MIXED.slice(0, 2));
  assert.equal(
    lines.map(({ text }) => text.slice(0, text.indexOf(' IN='))),
    [0, 1].flatMap(() => Array.from({ length: 16 }, (_, i) => `rule ${i}`)),
  );
});

test.run();
