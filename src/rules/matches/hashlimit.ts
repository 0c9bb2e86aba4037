/**
 * `-m hashlimit` (libxt_hashlimit.c, revision 3): a token bucket per address or port. Rates in bytes (`10kb/s`) and
 * --hashlimit-rate-match are not understood.
 */
import {
  exactlyOne,
  fail,
  joined,
  type MatchModule,
  type MatchOf,
  optionalValue,
  required,
  type Written,
} from '../text/module.ts';
import { MAXIMUM_32, readInteger, readString } from '../text/values.ts';
import type { Word } from '../text/words.ts';
import { HASHLIMIT_SCALE, millisecondsOf, normalRate, printRate, readRate } from './rate.ts';

type Hashlimit = MatchOf<'hashlimit'>;
type Key = Hashlimit['key'][number];

/** In the order in which iptables prints them. */
const KEYS: readonly Key[] = ['srcip', 'srcport', 'dstip', 'dstport'];
const DEFAULT_BURST = 5;
const MAXIMUM_BURST = 1_000_000;
const DEFAULT_GC_INTERVAL = 1000;
const MAXIMUM_NAME = 254;

function readKey(word: Word): Key[] {
  return word.text.split(',').map((part) => {
    const key = KEYS.find((one) => one === part.toLowerCase());
    return key ?? fail('ERR_RULE_VALUE', word, `'${part}' is none of ${KEYS.join(', ')}`);
  });
}

/** The optional fields of the model; a value that is iptables' default is the same as no option. */
function parseTable(written: Written, defaultExpire: number) {
  const number = (name: string, minimum: number, maximum: number, hidden: number): number | undefined => {
    const word = optionalValue(written, name);
    const value = word === undefined ? hidden : readInteger(word, minimum, maximum);
    return value === hidden ? undefined : value;
  };
  const fields = {
    sourceMask: number('--hashlimit-srcmask', 0, 32, 32),
    destinationMask: number('--hashlimit-dstmask', 0, 32, 32),
    tableSize: number('--hashlimit-htable-size', 0, MAXIMUM_32, 0),
    tableMax: number('--hashlimit-htable-max', 0, MAXIMUM_32, 0),
    gcIntervalMilliseconds: number('--hashlimit-htable-gcinterval', 1, MAXIMUM_32, DEFAULT_GC_INTERVAL),
    expireMilliseconds: number('--hashlimit-htable-expire', 1, MAXIMUM_32, defaultExpire),
  };
  const given = Object.entries(fields).filter(([, value]) => value !== undefined);
  return Object.fromEntries(given) as Partial<Record<keyof typeof fields, number>>;
}

/** The table's settings that differ from the defaults, as `NAME VALUE` pairs. */
function tableParts(match: Hashlimit): [string, number][] {
  // iptables compares the expiry with the unit that it prints, which may be smaller than the one written.
  const expire = match.expireMilliseconds ?? millisecondsOf(match.rate.per);
  const printed = millisecondsOf(normalRate(match.rate, HASHLIMIT_SCALE).per);
  const parts: [string, number | undefined][] = [
    ['htable-size', match.tableSize],
    ['htable-max', match.tableMax],
    ['htable-gcinterval', match.gcIntervalMilliseconds],
    ['htable-expire', expire === printed ? undefined : expire],
    ['srcmask', match.sourceMask],
    ['dstmask', match.destinationMask],
  ];
  return parts.filter((part): part is [string, number] => part[1] !== undefined);
}

const keyInOrder = (match: Hashlimit): Key[] => KEYS.filter((key) => match.key.includes(key));

export const hashlimit: MatchModule<Hashlimit> = {
  kind: 'hashlimit',
  options: [
    { name: '--hashlimit-upto', aliases: ['--hashlimit'], negatable: true },
    { name: '--hashlimit-above', negatable: true },
    { name: '--hashlimit-burst' },
    { name: '--hashlimit-mode' },
    { name: '--hashlimit-name' },
    { name: '--hashlimit-htable-size' },
    { name: '--hashlimit-htable-max' },
    { name: '--hashlimit-htable-gcinterval' },
    { name: '--hashlimit-htable-expire' },
    { name: '--hashlimit-srcmask' },
    { name: '--hashlimit-dstmask' },
  ],
  parse(written) {
    const given = exactlyOne(written, ['--hashlimit-upto', '--hashlimit-above']);
    const rate = readRate(given.values[0]!, HASHLIMIT_SCALE);
    const burst = optionalValue(written, '--hashlimit-burst');
    const mode = optionalValue(written, '--hashlimit-mode');
    const name = required(written, '--hashlimit-name').values[0]!;
    // iptables-save prints the name as it is: with a blank or a quote in it, nobody can read that again.
    if (!/^[^\s"]+$/.test(name.text))
      fail('ERR_RULE_VALUE', name, 'the name must not be empty or hold blanks or quotes');
    return {
      kind: 'hashlimit',
      mode: (given.spec.name === '--hashlimit-above') === given.negated ? 'upto' : 'above',
      rate,
      burst: burst === undefined ? DEFAULT_BURST : readInteger(burst, 1, MAXIMUM_BURST),
      key: mode === undefined ? [] : readKey(mode),
      name: readString(name, MAXIMUM_NAME),
      ...parseTable(written, millisecondsOf(rate.per)),
    };
  },
  save(match) {
    const key = keyInOrder(match);
    return joined(
      `--hashlimit-${match.mode} ${printRate(match.rate, HASHLIMIT_SCALE)} --hashlimit-burst ${match.burst}`,
      key.length === 0 ? '' : `--hashlimit-mode ${key.join(',')}`,
      `--hashlimit-name ${match.name}`,
      ...tableParts(match).map(([name, value]) => `--hashlimit-${name} ${value}`),
    );
  },
  list(match) {
    const key = keyInOrder(match);
    return joined(
      `limit: ${match.mode === 'upto' ? 'up to' : 'above'} ${printRate(match.rate, HASHLIMIT_SCALE)} burst ${match.burst}`,
      key.length === 0 ? '' : `mode ${key.join('-')}`,
      ...tableParts(match).map(([name, value]) => `${name} ${value}`),
    );
  },
};
