/**
 * `-j MARK` and `-j CONNMARK` (libxt_MARK.c, libxt_CONNMARK.c). All five spellings of setting are one operation,
 * `mark = (mark & ~mask) ^ value`, and iptables-save prints them all as --set-xmark.
 */
import {
  exactlyOne,
  fail,
  type Given,
  type OptionSpec,
  optionalValue,
  type TargetModule,
  type TargetOf,
  type Written,
} from '../text/module.ts';
import { hex, MAXIMUM_32, readInteger, readMark } from '../text/values.ts';

interface Setting {
  readonly value: number;
  readonly mask: number;
}

const SET_OPTIONS: readonly OptionSpec[] = ['--set-xmark', '--set-mark', '--and-mark', '--or-mark', '--xor-mark'].map(
  (name) => ({ name }),
);
const SET_NAMES = SET_OPTIONS.map(({ name }) => name);

function readSetting(given: Given): Setting {
  const word = given.values[0]!;
  if (given.spec.name === '--and-mark') return { value: 0, mask: ~readInteger(word, 0, MAXIMUM_32) >>> 0 };
  if (given.spec.name === '--xor-mark') return { value: readInteger(word, 0, MAXIMUM_32), mask: 0 };
  if (given.spec.name === '--or-mark') {
    const value = readInteger(word, 0, MAXIMUM_32);
    return { value, mask: value };
  }
  const { value, mask = MAXIMUM_32 } = readMark(word);
  return { value, mask: given.spec.name === '--set-mark' ? (mask | value) >>> 0 : mask };
}

const saveSetting = ({ value, mask }: Setting): string => `--set-xmark ${hex(value)}/${hex(mask)}`;

/** iptables looks for the simplest spelling again. */
function listSetting(name: string, { value, mask }: Setting): string {
  if (value === 0) return `${name} and ${hex(~mask >>> 0)}`;
  if (value === mask) return `${name} or ${hex(value)}`;
  if (mask === 0) return `${name} xor ${hex(value)}`;
  return mask === MAXIMUM_32 ? `${name} set ${hex(value)}` : `${name} xset ${hex(value)}/${hex(mask)}`;
}

export const mark: TargetModule<TargetOf<'MARK'>> = {
  kind: 'MARK',
  options: SET_OPTIONS,
  parse: (written) => ({ kind: 'MARK', ...readSetting(exactlyOne(written, SET_NAMES)) }),
  save: saveSetting,
  list: (target) => listSetting('MARK', target),
};

/** The masks of --save-mark and --restore-mark; all bits unless said otherwise. */
function readMasks(written: Written): { connectionMask: number; packetMask: number } {
  const [both, packet, connection] = ['--mask', '--nfmask', '--ctmask'].map((name) => {
    const word = optionalValue(written, name);
    return word && readInteger(word, 0, MAXIMUM_32);
  });
  if (both !== undefined && (packet !== undefined || connection !== undefined)) {
    fail('ERR_RULE_OPTION', written.at, 'CONNMARK: --mask cannot be used together with --nfmask or --ctmask');
  }
  return { connectionMask: connection ?? both ?? MAXIMUM_32, packetMask: packet ?? both ?? MAXIMUM_32 };
}

export const connmark: TargetModule<TargetOf<'CONNMARK'>> = {
  kind: 'CONNMARK',
  options: [
    ...SET_OPTIONS,
    { name: '--save-mark', values: 0 },
    { name: '--restore-mark', values: 0 },
    { name: '--nfmask' },
    { name: '--ctmask' },
    { name: '--mask' },
  ],
  parse(written) {
    const given = exactlyOne(written, [...SET_NAMES, '--save-mark', '--restore-mark']);
    if (given.values.length === 0) {
      const mode = given.spec.name === '--save-mark' ? 'save' : 'restore';
      return { kind: 'CONNMARK', mode, value: 0, ...readMasks(written) };
    }
    for (const name of ['--mask', '--nfmask', '--ctmask']) {
      const mask = written.options.get(name);
      if (mask !== undefined) fail('ERR_RULE_OPTION', mask.word, `${name} needs --save-mark or --restore-mark`);
    }
    const { value, mask } = readSetting(given);
    return { kind: 'CONNMARK', mode: 'set', value, connectionMask: mask, packetMask: MAXIMUM_32 };
  },
  save({ mode, value, connectionMask, packetMask }) {
    if (mode === 'set') return saveSetting({ value, mask: connectionMask });
    return `--${mode}-mark --nfmask ${hex(packetMask)} --ctmask ${hex(connectionMask)}`;
  },
  list({ mode, value, connectionMask, packetMask }) {
    if (mode === 'set') return listSetting('CONNMARK', { value, mask: connectionMask });
    const name = `CONNMARK ${mode}`;
    if (connectionMask === packetMask) return connectionMask === MAXIMUM_32 ? name : `${name} mask ${hex(packetMask)}`;
    return mode === 'save'
      ? `${name} nfmask ${hex(packetMask)} ctmask ~${hex(connectionMask)}`
      : `${name} ctmask ${hex(connectionMask)} nfmask ~${hex(packetMask)}`;
  },
};
