/** Errors that come later: reassembly that timed out (ICMP 11/1), and a neighbour that never answered (ICMP 3/1). */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { createIcmpError, writeIcmpError } from '../../src/dataplane/answer/icmp-error.ts';
import { NETWORK, RULES } from '../dataplane/answer/cell.ts';
import { address, checksum, ipv4, udp } from '../dataplane/packets.ts';
import { skip } from '../support/shared.ts';
import { askKernel, NO_LIMITS, type Sent } from './answer-kernel.ts';
import { obstacle } from './lab-shell.ts';

const test = suite('conformance/answer-late');
const SETTINGS = [...NO_LIMITS, 'net.ipv4.ipfrag_time=1'];
/** One question to a neighbour, and 100 ms for the answer. */
const IMPATIENT = [...NETWORK, 'ntable change name arp_cache dev tap1 retrans 100 mcast_probes 1'];
const TO_CELL = { source: '10.9.0.1', destination: '10.1.0.1' };
const BEYOND = { source: '10.9.0.2', destination: '10.2.0.3' };

const hex = (octets: Uint8Array): string => Buffer.from(octets).toString('hex');

/** The answers to each packet, their IP ids aside. */
const answers = (sent: readonly Sent[]): string[][] =>
  askKernel({ backend: 'nft', network: IMPATIENT, rules: RULES, settings: SETTINGS }, sent).map(({ packets }) =>
    packets.map((one) => hex(withoutIdentification(one))),
  );

function withoutIdentification(octets: Uint8Array): Uint8Array {
  const copy = octets.slice();
  copy.fill(0, 4, 6);
  copy.fill(0, 10, 12);
  const sum = checksum(copy.subarray(0, (copy[0]! & 0xf) * 4));
  copy.set([sum >>> 8, sum & 0xff], 10);
  return copy;
}

function error(packet: Uint8Array, type: number, code: number): string {
  const into = new Uint8Array(600);
  const wanted = { ...createIcmpError(), type, code, source: address('10.1.0.1') };
  const length = writeIcmpError(new DataView(packet.buffer), 0, packet.length, wanted, new DataView(into.buffer), 0);
  return hex(into.subarray(0, length));
}

const missing = obstacle(['ip', 'python3', 'sysctl', 'xtables-nft-multi']);
const kernelTest = (name: string, body: () => void): void => {
  if (missing === undefined) test(name, body);
  else skip(test, name, missing.message);
};

kernelTest('a datagram that never became whole: its first fragment is quoted, and nothing without it', () => {
  const body = udp(TO_CELL, 7, 8, Array<number>(600).fill(5));
  const first = ipv4(TO_CELL, 17, body.slice(0, 400), { fragment: 0x2000, identification: 1 });
  const second = ipv4(TO_CELL, 17, body.slice(400), { fragment: 50, identification: 2 });
  const found = answers([
    { packet: first, waitSeconds: 1.5 },
    { packet: second, waitSeconds: 1.5 },
  ]);
  assert.equal(found, [[error(first, 11, 1)], []]);
});

kernelTest('a neighbour that does not answer: the forwarded packet is quoted', () => {
  const packet = ipv4(BEYOND, 17, udp(BEYOND, 7, 8, [1, 2, 3]), { timeToLive: 9 });
  const forwarded = ipv4(BEYOND, 17, udp(BEYOND, 7, 8, [1, 2, 3]), { timeToLive: 8 });
  assert.equal(answers([{ packet, waitSeconds: 1 }]), [[error(forwarded, 3, 1)]]);
});

test.run();
