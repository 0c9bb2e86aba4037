/** `-j NFLOG` (libxt_NFLOG.c): a copy of the packet for a logging daemon. */
import { fail, joined, optionalValue, type TargetModule, type TargetOf, type Written } from '../text/module.ts';
import { MAXIMUM_32, readInteger, readString } from '../text/values.ts';
import { quote } from '../text/words.ts';

type Nflog = TargetOf<'NFLOG'>;

const MAXIMUM_PREFIX = 63;

function readNumber(written: Written, name: string, maximum: number): number | undefined {
  const word = optionalValue(written, name);
  return word && readInteger(word, 0, maximum);
}

/** The options in the order in which iptables prints them. */
const parts = (target: Nflog): string[] => [
  target.prefix === '' ? '' : `nflog-prefix ${quote(target.prefix)}`,
  target.group === 0 ? '' : `nflog-group ${target.group}`,
  target.size === undefined ? '' : `nflog-size ${target.size}`,
  target.range === undefined ? '' : `nflog-range ${target.range}`,
  target.threshold === 0 ? '' : `nflog-threshold ${target.threshold}`,
];

export const nflog: TargetModule<Nflog> = {
  kind: 'NFLOG',
  options: [
    { name: '--nflog-prefix' },
    { name: '--nflog-group' },
    { name: '--nflog-range' },
    { name: '--nflog-size' },
    { name: '--nflog-threshold' },
  ],
  parse(written) {
    const prefix = optionalValue(written, '--nflog-prefix');
    const range = readNumber(written, '--nflog-range', MAXIMUM_32);
    const size = readNumber(written, '--nflog-size', MAXIMUM_32);
    if (range !== undefined && size !== undefined) {
      fail('ERR_RULE_OPTION', written.at, 'NFLOG: --nflog-range and --nflog-size cannot be used together');
    }
    return {
      kind: 'NFLOG',
      group: readNumber(written, '--nflog-group', 65535) ?? 0,
      prefix: prefix === undefined ? '' : readString(prefix, MAXIMUM_PREFIX),
      ...(range !== undefined && { range }),
      ...(size !== undefined && { size }),
      threshold: readNumber(written, '--nflog-threshold', 65535) ?? 0,
    };
  },
  save: (target) =>
    parts(target)
      .filter((part) => part !== '')
      .map((part) => `--${part}`)
      .join(' '),
  list: (target) => joined(...parts(target)),
};
