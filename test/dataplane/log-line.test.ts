/**
 * LOG lines are those of Linux: `test/fixtures/kernel-log.txt` has what a 6.18 kernel printed at FORWARD for the packets of
 * `log-packets.ts` and the rules of `log-rules.ts`, level first (`<7>`).
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type LogTarget, logLine } from '../../src/dataplane/log/line.ts';
import { hex } from '../support/hex.ts';
import { ROOT } from '../support/shared.ts';
import { logPackets } from './log-packets.ts';
import { expectedLines } from './log-rules.ts';

const test = suite('dataplane/log-line');
const LINK = 'eeee0aff0200eeee0aff01000800';
const INTERFACES = { inInterface: 'silk-vtep', outInterface: 's-010255002007' };

test('every packet of every kind, with every option', () => {
  const kernel = readFileSync(join(ROOT, 'test', 'fixtures', 'kernel-log.txt'), 'utf8')
    .split('\n')
    .slice(0, -1);
  const packets = logPackets({ source: '10.9.0.2', destination: '10.8.0.2' });
  const ours = packets.flatMap((packet) =>
    expectedLines('kernel-', INTERFACES, LINK, packet.with(8, packet[8]! - 1)).map(
      ({ level, text }) => `<${level}>${text}`,
    ),
  );
  assert.is(kernel.length, 3 * packets.length);
  assert.equal(ours, kernel);
});

const TARGET: LogTarget = {
  kind: 'LOG',
  level: 4,
  prefix: 'OK_ ',
  tcpSequence: false,
  tcpOptions: false,
  ipOptions: false,
  uid: true,
  macdecode: false,
};

// A line of silk's own documentation (docs/04-traffic-logging.md, "c2c denied").
const DENIED =
  'DENY_C2C_d5978989-1401-49ff- IN=s-010255073003 OUT=s-010255073002 MAC=aa:aa:0a:ff:49:03:ee:ee:0a:ff:49:03:08:00 ' +
  'SRC=10.255.73.3 DST=10.255.73.2 LEN=60 TOS=0x00 PREC=0x00 TTL=63 ID=27922 DF PROTO=TCP SPT=37366 DPT=8081 ' +
  'WINDOW=27400 RES=0x00 SYN URGP=0 MARK=0x1 ';

test('a line of the Cloud Foundry documentation', () => {
  const view = hex(
    `aaaa0aff4903eeee0aff49030800 4500003c6d1240003f060000 0aff4903 0aff4902
     91f61f91 00000000 00000000 a0026b08 00000000 0204 0578 0402080a 00000000 00000000 01030307`,
  );
  const target = { ...TARGET, prefix: 'DENY_C2C_d5978989-1401-49ff- ' };
  const context = { inInterface: 's-010255073003', outInterface: 's-010255073002', mark: 1 };
  assert.is(logLine(target, context, view, 0, 14, view.byteLength), DENIED);
});

test('a packet without a link header says so, and one of the cell itself says nothing', () => {
  const view = hex('45000014000000004011000001020304 05060708');
  const came = logLine(TARGET, { inInterface: 'tun0', outInterface: '', mark: 0 }, view, -1, 0, 20);
  assert.match(came, /^OK_ IN=tun0 OUT= MAC= SRC=1\.2\.3\.4 /);
  const sent = logLine(TARGET, { inInterface: '', outInterface: 'eth0', mark: 0x80000001 }, view, -1, 0, 20);
  assert.match(sent, /^OK_ IN= OUT=eth0 SRC=1\.2\.3\.4 DST=5\.6\.7\.8 .* PROTO=UDP INCOMPLETE \[0 bytes\] $/);
});

test.run();
