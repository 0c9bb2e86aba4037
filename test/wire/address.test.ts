import * as fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import * as address from '../../src/wire/address.ts';
import { hex } from '../support/hex.ts';
import { check } from '../support/property.ts';

const test = suite('wire/address');

test('dotted decimal is read strictly', () => {
  assert.is(address.parseIpv4('10.255.1.4'), 0x0aff0104);
  assert.is(address.parseIpv4('255.255.255.255'), 0xffffffff);
  for (const text of [
    '010.0.0.1',
    '10.0.0',
    '10.0.0.1.',
    '10.0.0.256',
    '0x0a.0.0.1',
    '10.0.0.1 ',
    '',
    '1e1.0.0.0',
    '-1.0.0.0',
  ]) {
    assert.is(address.parseIpv4(text), undefined, text);
  }
});

test('a block with host bits, a bad length or a leading zero is refused', () => {
  assert.equal(address.parseCidr('10.255.0.0/16'), { address: 0x0aff0000, prefixLength: 16 });
  assert.equal(address.parseCidr('10.255.1.4'), { address: 0x0aff0104, prefixLength: 32 });
  assert.equal(address.parseCidr('0.0.0.0/0'), { address: 0, prefixLength: 0 });
  for (const text of ['10.255.1.0/16', '10.0.0.0/33', '10.0.0.0/08', '10.0.0.0/', '10.0.0.0/-1', '/8']) {
    assert.is(address.parseCidr(text), undefined, text);
  }
});

test('contains compares the prefix only', () => {
  const lease = address.parseCidr('10.255.2.0/24')!;
  assert.ok(address.contains(lease, 0x0aff02ff));
  assert.not.ok(address.contains(lease, 0x0aff0300));
  assert.ok(address.contains({ address: 0, prefixLength: 0 }, 0xffffffff));
});

test('MAC addresses', () => {
  assert.is(address.parseMac('ee:ee:0a:ff:01:00'), 0xeeee0aff0100);
  assert.is(address.formatMac(0xeeee0aff0100), 'ee:ee:0a:ff:01:00');
  assert.is(address.formatMac(1), '00:00:00:00:00:01');
  assert.is(address.parseMac('ee:ee:0a:ff:01'), undefined);
});

test('text to number and back is the identity', () => {
  check(
    fc.property(
      fc.integer({ min: 0, max: 0xffffffff }),
      (value) => address.parseIpv4(address.formatIpv4(value)) === value,
    ),
  );
});

const ipv6 = (text: string): string | undefined => {
  const groups = address.parseIpv6(text);
  return groups === undefined ? undefined : address.formatIpv6(groups);
};

test('IPv6 text is written as RFC 5952 sections 4 and 5 have it', () => {
  const examples: [string, string][] = [
    ['2001:0db8::0001', '2001:db8::1'],
    ['2001:db8:0:0:0:0:2:1', '2001:db8::2:1'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['2001:0:0:1:0:0:0:1', '2001:0:0:1::1'],
    ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['2001:DB8::ABCD', '2001:db8::abcd'],
    ['0:0:0:0:0:0:0:0', '::'],
    ['::1', '::1'],
    ['fe80::', 'fe80::'],
    ['0:0:0:0:0:ffff:192.0.2.1', '::ffff:192.0.2.1'],
    ['64:ff9b::192.0.2.33', '64:ff9b::c000:221'],
    ['1:2:3:4:5:6:7:8', '1:2:3:4:5:6:7:8'],
    ['::2:3:4:5:6:7:8', '0:2:3:4:5:6:7:8'],
  ];
  for (const [text, written] of examples) assert.is(ipv6(text), written, text);
});

test('IPv6 text is read strictly', () => {
  for (const text of [
    '',
    ':',
    ':::',
    '1::2::3',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '1:2:3:4:5:6:7::8',
    '12345::',
    'g::',
    '::1%eth0',
    ':1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:',
    '1.2.3.4::',
    '::1.2.3',
    '::01.2.3.4',
    '::1.2.3.4:5',
    '1:2:3:4:5:6:7:1.2.3.4',
    ' ::1',
    '-1::',
  ]) {
    assert.is(address.parseIpv6(text), undefined, text);
  }
});

test('IPv6 text and back is the identity, and agrees with the URL parser of the engine', () => {
  const group = fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 0xffff }));
  const property = fc.property(fc.array(group, { minLength: 8, maxLength: 8 }), (groups) => {
    const text = address.formatIpv6(groups);
    assert.equal(address.parseIpv6(text), groups);
    if (!text.includes('.')) assert.is(new URL(`http://[${text}]/`).hostname, `[${text}]`);
  });
  check(property, 500);
});

test('addresses in a packet', () => {
  const view = hex('ffff fd000009000000000000000000000001 02000000000a');
  assert.is(address.formatIpv6At(view, 2), 'fd00:9::1');
  assert.is(address.formatMacAt(view, 18), '02:00:00:00:00:0a');
});

test.run();
