/** The packet quoted in an ICMP error. */
import * as fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { locate } from '../../src/wire/layers.ts';
import { LINKTYPE } from '../../src/wire/protocol.ts';
import * as quote from '../../src/wire/quote.ts';
import { create } from '../../src/wire/stack.ts';
import * as frames from '../support/frames.ts';
import { octets } from '../support/hex.ts';
import { check } from '../support/property.ts';
import { watched } from '../support/watch.ts';

const test = suite('wire/quote');
const AT = 16;

const record = quote.create();

function quoted(frame: Uint8Array, wire = frame.length): quote.Quote {
  const layers = create();
  const view = watched(frame, AT);
  locate(view, AT, AT + frame.length, AT + wire, LINKTYPE.ETHERNET, -1, layers);
  quote.locate(view, layers.outer, record);
  return record;
}

/** The record without the offsets of its headers. */
const values = (from: quote.Quote): Partial<quote.Quote> => {
  const copy: Partial<quote.Quote> = { ...from };
  delete (copy as { stack?: unknown }).stack;
  return copy;
};

const UDP = {
  valid: 1,
  source: 0x0a090801,
  destination: 0x0a090802,
  protocol: 17,
  sourcePort: 49803,
  destinationPort: 9,
  icmpType: 0,
  icmpCode: 0,
  icmpIdentifier: 0,
};
const NOTHING = { ...UDP, valid: 0, source: 0, destination: 0, protocol: 0, sourcePort: 0, destinationPort: 0 };

/** An ICMP error of `type` around `packet`, an IP packet in hexadecimal. */
function error(packet: string, type = '03'): Uint8Array {
  const bytes = octets(`${frames.UNREACHABLE.replaceAll(' ', '').slice(0, 2 * 42)}${packet}`);
  bytes[34] = Number.parseInt(type, 16);
  bytes[16] = (bytes.length - 14) >> 8;
  bytes[17] = (bytes.length - 14) & 0xff;
  return bytes;
}
const DATAGRAM = frames.UNREACHABLE.replaceAll(' ', '').slice(2 * 42);
const PING = frames.ECHO.slice(28);

test('port unreachable of Linux quotes its UDP datagram', () => {
  const found = quoted(octets(frames.UNREACHABLE));
  assert.equal(values(found), UDP);
  assert.equal([found.stack.network - AT, found.stack.transport - AT], [42, 62]);
});

test('port unreachable of Linux over IPv6', () => {
  const found = quoted(octets(frames.UNREACHABLE6));
  assert.equal(values(found), { ...UDP, source: 0, destination: 0, sourcePort: 39230 });
  assert.equal([found.stack.version, found.stack.network - AT], [6, 62]);
});

test('only errors quote', () => {
  for (const type of ['03', '04', '05', '0b', '0c']) assert.is(quoted(error(DATAGRAM, type)).valid, 1, type);
  for (const type of ['00', '08', '0d', '12']) assert.equal(values(quoted(error(DATAGRAM, type))), NOTHING);
  assert.equal(values(quoted(octets(frames.ECHO))), NOTHING);
  assert.equal(values(quoted(octets(frames.SOLICITATION))), NOTHING);
  assert.equal(values(quoted(octets(frames.SYN))), NOTHING);
});

test('eight octets of a TCP segment are enough, four hold the ports, three do not', () => {
  const tcp = '4500003c123440003f0610800aff01040aff02079c401f9011223344';
  const ports = { source: 0x0aff0104, destination: 0x0aff0207, protocol: 6, sourcePort: 40000, destinationPort: 8080 };
  assert.equal(values(quoted(error(tcp))), { ...UDP, ...ports });
  assert.equal(values(quoted(error(tcp.slice(0, 48)))), { ...UDP, ...ports });
  assert.is(quoted(error(tcp.slice(0, 46))).valid, 0);
});

test('a quoted ICMP message is told by type, code and identifier', () => {
  const found = values(quoted(error(PING.slice(0, 56), '0b')));
  assert.equal(found, {
    ...NOTHING,
    valid: 1,
    source: 0x0a090801,
    destination: 0x0a090802,
    protocol: 1,
    icmpType: 8,
    icmpIdentifier: 0x020c,
  });
  assert.is(quoted(error(PING.slice(0, 54), '0b')).valid, 0);
});

test('protocols without ports are quoted by their addresses', () => {
  const gre = `${DATAGRAM.slice(0, 18)}2f${DATAGRAM.slice(20, 40)}`;
  const found = quoted(error(gre));
  assert.equal([found.valid, found.protocol, found.sourcePort], [1, 47, 0]);
});

test('later fragments, cut headers and other versions are not valid', () => {
  assert.is(quoted(error(`${DATAGRAM.slice(0, 12)}0001${DATAGRAM.slice(16)}`)).valid, 0);
  assert.is(quoted(error(DATAGRAM.slice(0, 38))).valid, 0);
  assert.is(quoted(error(`65${DATAGRAM.slice(2)}`)).valid, 0);
  assert.is(quoted(error('')).valid, 0);
  // IPv6 with an extension header that is cut.
  const cut = octets(frames.UNREACHABLE6).subarray(0, 14 + 40 + 8 + 40 + 4);
  cut[14 + 40 + 8 + 6] = 60;
  assert.is(quoted(cut, octets(frames.UNREACHABLE6).length).valid, 0);
});

test('random quotes are read within bounds', () => {
  const property = fc.property(
    fc.uint8Array({ maxLength: 80 }),
    fc.constantFrom('45', '46', '4f', '60'),
    (random, first) => {
      const packet = Uint8Array.from([...error(''), Number.parseInt(first, 16), ...random]);
      packet[17] = packet.length - 14;
      quoted(packet);
      const six = Uint8Array.from([
        ...octets(frames.UNREACHABLE6).subarray(0, 62),
        Number.parseInt(first, 16),
        ...random,
      ]);
      quoted(six, 200);
    },
  );
  check(property, 1000);
});

test.run();
