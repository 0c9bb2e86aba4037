/** Names and addresses that silk derives, with the values of a real cell. */
import * as fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import * as chains from '../../src/foundation/chain-names.ts';
import { standInHandle } from '../../src/foundation/handle.ts';
import * as lease from '../../src/foundation/lease.ts';
import { createTagAllocator, formatTag } from '../../src/foundation/tags.ts';
import { formatIpv4, formatMac } from '../../src/wire/address.ts';
import { check } from '../support/property.ts';

const test = suite('foundation/names');
const HANDLE = '5a1f0c11-1111-4a4a-5b5b-0001';
const LEASE = { address: 0x0aff0100, prefixLength: 24 };

test('chains of an LRP handle keep what 28 characters hold', () => {
  assert.is(chains.chainName('input', HANDLE), 'input--5a1f0c11-1111-4a4a-5b');
  assert.is(chains.chainName('netout', HANDLE), 'netout--5a1f0c11-1111-4a4a-5');
  assert.is(chains.chainName('overlay', HANDLE), 'overlay--5a1f0c11-1111-4a4a-');
  assert.is(chains.chainName('netin', HANDLE), 'netin--5a1f0c11-1111-4a4a-5b');
  assert.is(chains.logChainName(HANDLE), 'netout--5a1f0c11-1111-4--log');
  assert.is(chains.rateLimitLogChainName(HANDLE), 'netout--5a1f0c11-111--rl-log');
  assert.is(chains.asgChainName(HANDLE), 'asg-5a1f0c1111114a4a5b5b');
  assert.is(chains.asgChainName(`check-${HANDLE}`), 'asg-5a1f0c1111114a4a5b5b');
});

test('what silk derives from addresses', () => {
  assert.is(formatIpv4(lease.vtepAddress(LEASE)), '10.255.1.0');
  assert.is(formatMac(lease.vtepMac(LEASE)), 'ee:ee:0a:ff:01:00');
  assert.is(formatMac(lease.containerMac(0x0aff0104)), 'ee:ee:0a:ff:01:04');
  assert.is(formatMac(lease.hostVethMac(0x0aff0104)), 'aa:aa:0a:ff:01:04');
  assert.is(formatIpv4(lease.HOST_VETH_ADDRESS), '169.254.0.1');
  assert.is(lease.hostVethName(0x0aff0104), 's-010255001004');
  assert.is(lease.hostVethName(0xffffffff), 's-255255255255');
});

test('stand-in handles have the form of LRP handles and are stable', () => {
  assert.match(standInHandle('guid', 0), /^[0-9a-f]{8}(-[0-9a-f]{4}){4}$/);
  assert.is(standInHandle('guid', 0), standInHandle('guid', 0));
});

test('stand-in handles of 250 instances differ in every chain name', () => {
  check(
    fc.property(fc.string(), (guid) => {
      const handles = Array.from({ length: 250 }, (_, index) => standInHandle(guid, index));
      assert.is(new Set(handles.map(chains.rateLimitLogChainName)).size, handles.length);
      assert.is(new Set(handles.map(chains.asgChainName)).size, handles.length);
    }),
    50,
  );
});

test('tags are printed as the policy server prints them', () => {
  assert.equal([1, 10, 0xffff].map(formatTag), ['0001', '000A', 'FFFF']);
});

test('the allocator gives out the lowest free tags and stops at 65535', () => {
  const allocator = createTagAllocator(new Set([2, 3, 0xffff]));
  assert.equal([allocator.next(), allocator.next(), allocator.next()], [1, 4, 5]);
  for (let tag = 6; tag < 0xffff; tag++) assert.is(allocator.next(), tag);
  assert.is(allocator.next(), undefined);
  assert.is(allocator.next(), undefined);
});

test.run();
