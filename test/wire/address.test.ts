import * as fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import * as address from '../../src/wire/address.ts';
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

test.run();
