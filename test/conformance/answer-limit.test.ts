/** Rate limits measured on the running kernel: the same packets at the same times, and which of them were answered. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  allowIcmp,
  allowRedirect,
  allowUnroutable,
  createIcmpLimits,
  DEFAULT_ICMP_LIMITS,
} from '../../src/dataplane/answer/icmp-limit.ts';
import { NETWORK, RULES } from '../dataplane/answer/cell.ts';
import { address, ipv4, udp } from '../dataplane/packets.ts';
import { skip } from '../support/shared.ts';
import { askKernel, type Back, NO_LIMITS, type Sent } from './answer-kernel.ts';
import { obstacle } from './lab-shell.ts';

const test = suite('conformance/answer-limit');
const missing = obstacle(['ip', 'python3', 'sysctl', 'xtables-nft-multi']);
const kernelTest = (name: string, body: () => void): void => {
  if (missing === undefined) test(name, body);
  else skip(test, name, missing.message);
};

const REJECTED = '10.2.10.3';
const UNROUTABLE = '10.66.0.1';
const DETOUR = '10.4.0.1';
/** The kernel's own, written down: they are a namespace's own from 6.13 on. */
const LIMITS = ['net.ipv4.icmp_ratelimit=1000', 'net.ipv4.icmp_ratemask=6168'];
const NANOSECONDS = 1_000_000;

const packet = (source: string, destination: string): Uint8Array =>
  ipv4({ source, destination }, 17, udp({ source, destination }, 1, 2));
const send = (source: string, destination: string, waitSeconds = 0): Sent => ({
  packet: packet(source, destination),
  waitSeconds,
});

const ask = (settings: readonly string[], sent: readonly Sent[]): Back[] =>
  askKernel({ backend: 'nft', network: NETWORK, rules: RULES, settings }, sent);

/** Whether an answer came back to each packet: what came that did not come from its sender. */
const answered = (sent: readonly Sent[], backs: readonly Back[]): boolean[] =>
  backs.map(({ packets }, index) => {
    const source = Buffer.from(sent[index]!.packet.subarray(12, 16));
    return packets.some((one) => !source.equals(one.subarray(12, 16)));
  });

/** On a busy machine a packet may leave later than the clock was read: then the times say nothing. */
const TRIES = 3;
const LATE_MILLISECONDS = 3;

/** Send until every packet left when the clock said so. */
function askInTime(settings: readonly string[], sent: readonly Sent[]): Back[] {
  let backs = ask(settings, sent);
  for (let tries = 1; tries < TRIES && backs.some(isLate(sent)); tries += 1) backs = ask(settings, sent);
  return backs;
}

const isLate =
  (sent: readonly Sent[]) =>
  ({ from, to }: Back, index: number): boolean =>
    to - from > (sent[index]!.waitSeconds ?? 0) * 1000 + LATE_MILLISECONDS;

const pattern = (values: readonly boolean[]): string => values.map((one) => (one ? '+' : '-')).join('');

kernelTest('errors to one host: six at once, then one a second', () => {
  const one = '10.9.0.1';
  const at = (wait: number): Sent => send(one, REJECTED, wait);
  const sent = [...Array.from({ length: 7 }, () => at(0)), at(0.7), at(0.5), at(0), send('10.9.0.2', REJECTED)];
  const backs = askInTime(LIMITS, sent);
  const limits = createIcmpLimits();
  const ours = backs.map(({ from }, index) =>
    allowIcmp(limits, 3, 3, new DataView(sent[index]!.packet.buffer).getUint32(12), from * NANOSECONDS, 1),
  );
  assert.is(pattern(answered(sent, backs)), pattern(ours));
  assert.is(pattern(ours), '++++++---++');
});

kernelTest('packets without a way: two answers at once, or five when ICMP itself is not limited', () => {
  const one = '10.9.0.1';
  const sent = [
    ...Array.from({ length: 7 }, () => send(one, UNROUTABLE)),
    send(one, UNROUTABLE, 1.1),
    send(one, UNROUTABLE),
  ];
  for (const [settings, limited, expected] of [
    [LIMITS, true, '++-------'],
    [NO_LIMITS, false, '+++++---+'],
  ] as const) {
    const backs = askInTime(settings, sent);
    const limits = createIcmpLimits(limited ? DEFAULT_ICMP_LIMITS : { ...DEFAULT_ICMP_LIMITS, ratemask: 0 });
    const ours = backs.map(({ from }) => {
      const time = from * NANOSECONDS;
      return allowUnroutable(limits, address(one), time) && allowIcmp(limits, 3, 1, address(one), time, 1);
    });
    assert.is(pattern(answered(sent, backs)), pattern(ours));
    assert.is(pattern(ours), expected);
  }
});

kernelTest('redirects: waits that double', () => {
  const one = '10.1.0.9';
  // Two packets per wait: well before it is over, and well after.
  const waits = [0.025, 0.04, 0.065, 0.04, 0.14, 0.05, 0.29, 0.06, 0];
  const sent = waits.map((wait) => send(one, DETOUR, wait));
  const backs = askInTime(NO_LIMITS, sent);
  const limits = createIcmpLimits();
  const ours = backs.map(({ from }) => allowRedirect(limits, address(one), from * NANOSECONDS));
  assert.is(pattern(answered(sent, backs)), pattern(ours));
  assert.is(pattern(ours), '+-+-+-+-+');
});

kernelTest('the cell as a whole: about fifty at once and a thousand a second', () => {
  const sent = Array.from({ length: 400 }, (_, i) => send(`10.9.${i >>> 8}.${i & 0xff}`, REJECTED, i === 300 ? 1 : 0));
  const backs = ask([...LIMITS, 'net.ipv4.icmp_msgs_per_sec=1000', 'net.ipv4.icmp_msgs_burst=50'], sent);
  const count = (drawn: number): number => {
    const limits = createIcmpLimits();
    return backs.filter(({ from }, i) => allowIcmp(limits, 3, 3, i, from * NANOSECONDS, drawn)).length;
  };
  const theirs = answered(sent, backs).filter((one) => one).length;
  // What each error costs is drawn; twice in ten million runs the sum of 100 draws is 45 away from 100.
  assert.ok(theirs >= count(2) && Math.abs(theirs - count(1)) <= 45, `${theirs}, with even costs ${count(1)}`);
  assert.ok(theirs < 400);
});

test.run();
