/** The line of each kind of packet: golden lines for frames of a real kernel, and tcpdump beside them. */
import { spawnSync } from 'node:child_process';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { timestampText } from '../../src/cli/decode/time.ts';
import * as frames from '../support/frames.ts';
import { type PcapOptions, pcapOf } from '../support/pcap.ts';
import { skip } from '../support/shared.ts';
import { file, lines } from './decode-support.ts';

const test = suite('cli/decode-line');

const compact = (frame: string): string => frame.replace(/\s+/g, '');

/** `frame` with the octets at `at` replaced. */
function edited(frame: string, at: number, by: string): string {
  const digits = compact(frame);
  return `${digits.slice(0, at * 2)}${by}${digits.slice(at * 2 + by.length)}`;
}

/** The line of one frame without its time. */
async function lineOf(frame: string, options: PcapOptions & { explainFaults?: boolean } = {}): Promise<string> {
  const { explainFaults = false, ...pcap } = options;
  const [line] = await lines([file(pcapOf([frame], pcap))], { explainFaults });
  return line!.slice('2023-11-14 22:13:20.000000 '.length);
}

const UNDERLAY = 'IP 10.0.0.101.52001 > 10.0.0.102.4789: VXLAN, vni 1';
const SYN =
  'IP 10.255.1.4.40000 > 10.255.2.7.8080: Flags [S], seq 287454020, win 64860, options [mss 1410,sackOK,TS val 1000000 ecr 0,nop,wscale 7], length 0';

test('the packet of the documentation', async () => {
  assert.is(
    await lineOf(frames.DOCUMENTATION),
    'IP 10.0.32.15.41669 > 10.0.16.17.4789: VXLAN, vni 1, tag 0x0003 [G,I], IP 10.255.82.67.58054 > 10.255.144.63.8080: Flags [P.], seq 2229698347:2229698429, ack 2267883903, win 215, options [nop,nop,TS val 9490690 ecr 9562410], length 82',
  );
});

test('a SYN between two cells', async () => {
  assert.is(await lineOf(frames.SYN), `${UNDERLAY}, tag 0x0001 [G,I], ${SYN}`);
});

test('VXLAN flags, ids without G, reserved bits', async () => {
  const flags = 42;
  assert.is(await lineOf(edited(frames.SYN, flags, '0800000000000100')), `${UNDERLAY}, [I], ${SYN}`);
  assert.is(
    await lineOf(edited(frames.SYN, flags, '0800000700000100')),
    `${UNDERLAY}, id 0x0007 without G [I], ${SYN}`,
  );
  assert.is(await lineOf(edited(frames.SYN, flags, '8848beef00000100')), `${UNDERLAY}, tag 0xbeef [G,I,D,A], ${SYN}`);
  assert.is(
    await lineOf(edited(frames.SYN, flags, '8901000100000155')),
    `${UNDERLAY}, tag 0x0001 [G,I], reserved flags 0x0101, reserved octet 0x55, ${SYN}`,
  );
});

test('wrong checksums', async () => {
  assert.is(
    await lineOf(edited(frames.SYN, 24, '1234')),
    `IP 10.0.0.101.52001 > 10.0.0.102.4789: [bad ip checksum 0x1234] VXLAN, vni 1, tag 0x0001 [G,I], ${SYN}`,
  );
  assert.is(
    await lineOf(edited(frames.SYN, 100, 'abcd')),
    `${UNDERLAY}, tag 0x0001 [G,I], ${SYN} [bad tcp checksum 0xabcd]`,
  );
});

test('packets that the capture cut', async () => {
  const whole = compact(frames.SYN).length / 2;
  const cut = (length: number): Promise<string> =>
    lineOf(compact(frames.SYN).slice(0, length * 2), { originalLength: whole });
  assert.is(await cut(60), `${UNDERLAY}, tag 0x0001 [G,I], frame, length 0 [|ethernet] [captured 60 of 124 octets]`);
  assert.is(
    await cut(90),
    `${UNDERLAY}, tag 0x0001 [G,I], IP 10.255.1.4 > 10.255.2.7: tcp, length 40 [|tcp] [captured 90 of 124 octets]`,
  );
});

test('packets that are refused say why when asked', async () => {
  const broken = edited(frames.SYN, 64, '44');
  const line = `${UNDERLAY}, tag 0x0001 [G,I], ethertype 0x0800, length 60 [malformed: IPV4_IHL_BELOW_5`;
  assert.is(await lineOf(broken), `${line}]`);
  assert.is(
    await lineOf(broken, { explainFaults: true }),
    `${line}, IPv4 IHL is 4 at offset 64, at least 5 are needed]`,
  );
});

test('a length beyond the frame is no cut of the capture', async () => {
  const long = edited(frames.ECHO, 16, '0200');
  assert.match(await lineOf(long), /\[malformed: IPV4_TOTAL_LENGTH_BEYOND_END\]$/);
  assert.match(await lineOf(long, { originalLength: 100 }), /\[malformed: IPV4_TOTAL_LENGTH_BEYOND_END\] \[captured/);
  assert.not.match(await lineOf(long, { originalLength: 600 }), /malformed/);
});

test('fragments', async () => {
  assert.is(
    await lineOf(frames.LAST_FRAGMENT6),
    'IP6 fd00:9::1 > fd00:9::2: icmp6, length 160 (frag 3433333027:160@1448)',
  );
  assert.is(
    await lineOf(frames.FIRST_FRAGMENT6, { originalLength: frames.FIRST_FRAGMENT6_LENGTH }),
    'IP6 fd00:9::1 > fd00:9::2: ICMP6, echo request, id 525, seq 1, length 1448 (frag 3433333027:1448@0+) [captured 70 of 1510 octets]',
  );
  const later = edited(edited(frames.ECHO, 20, '00b9'), 24, '40c1');
  assert.is(await lineOf(later), 'IP 10.9.8.1 > 10.9.8.2: icmp, length 64 (frag 5403:64@1480)');
});

test('ICMP errors name the packet that they complain about', async () => {
  assert.is(
    await lineOf(frames.UNREACHABLE),
    'IP 10.9.8.2 > 10.9.8.1: ICMP 10.9.8.2 udp port 9 unreachable, length 39 (about IP 10.9.8.1.49803 > 10.9.8.2.9: udp)',
  );
  assert.is(
    await lineOf(frames.UNREACHABLE6),
    'IP6 fd00:9::2 > fd00:9::1: ICMP6, destination unreachable (port), length 59 (about IP6 fd00:9::1.39230 > fd00:9::2.9: udp)',
  );
});

test('VLAN tags, cooked captures and raw IP', async () => {
  const echo = 'IP 10.9.8.1 > 10.9.8.2: ICMP echo request, id 524, seq 1, length 64';
  const digits = compact(frames.ECHO);
  assert.is(await lineOf(`${digits.slice(0, 24)}88a80005 8100a006${digits.slice(24)}`), `vlan 5, vlan 6 p 5, ${echo}`);
  assert.is(await lineOf(frames.COOKED, { linkType: 113 }), echo);
  assert.is(await lineOf(frames.COOKED2, { linkType: 276 }), echo);
  for (const linkType of [12, 101, 228]) assert.is(await lineOf(digits.slice(28), { linkType }), echo);
  assert.is(await lineOf('00112233', { linkType: 147 }), 'link type 147, length 4');
});

test('times are UTC and have the figures of the file', async () => {
  const [micro] = await lines([file(pcapOf([frames.ARP, frames.ARP]))]);
  assert.is(micro!.slice(0, 27), '2023-11-14 22:13:20.000000 ');
  const nano = await lines([file(pcapOf([frames.ARP, frames.ARP], { nanoseconds: true }))]);
  assert.is(nano[1]!.slice(0, 30), '2023-11-14 22:13:21.000000001 ');
  assert.is(timestampText('-1', 9), '1969-12-31 23:59:59.999999999');
  assert.is(timestampText('18446744073709551615000000000', 6), '18446744073709551615.000000');
});

/** What runs over the underlay, without the 50 octets of VXLAN. */
const INNER = compact(frames.SYN).slice(100);
/** Frames in which tcpdump finds nothing to say that we do not. */
const SAME = [frames.ARP, frames.ECHO, frames.SOLICITATION, INNER, edited(INNER, 47, '19'), edited(INNER, 47, 'ff')];

if (spawnSync('tcpdump', ['--version']).status === 0) {
  test('tcpdump prints the same', async () => {
    const path = file(pcapOf(SAME));
    const args = ['-tttt', '-n', '-S', '-K', '-r', path];
    const theirs = spawnSync('tcpdump', args, { env: { ...process.env, TZ: 'UTC' }, encoding: 'utf8' });
    const ours = (await lines([path])).map((line) => line.replace(/ \[bad tcp checksum 0x[0-9a-f]{4}\]$/, ''));
    assert.equal(ours, theirs.stdout.split('\n').slice(0, -1));
  });
} else skip(test, 'tcpdump prints the same', 'tcpdump is not installed');

test.run();
