/** `-m iprange` (libxt_iprange.c): addresses between two bounds, both included. */
import { formatIpv4 } from '../../wire/address.ts';
import type { AddressRange } from '../model.ts';
import { fail, joined, type MatchModule, type MatchOf, not, type RuleContext, type Written } from '../text/module.ts';
import { readAddressRange } from '../text/values.ts';

function parseRange(written: Written, name: string, rule: RuleContext): AddressRange | undefined {
  const given = written.options.get(name);
  if (given === undefined) return undefined;
  const word = given.values[0]!;
  const range = readAddressRange(word, word.text);
  if (range.low > range.high) rule.warn(word, `range ${word.text} ends below its start and holds no address`);
  return { ...range, negated: given.negated };
}

const printRange = ({ low, high }: AddressRange): string => `${formatIpv4(low)}-${formatIpv4(high)}`;

const saveRange = (name: string, range: AddressRange | undefined): string =>
  range === undefined ? '' : `${not(range.negated)}${name} ${printRange(range)}`;

const listRange = (name: string, range: AddressRange | undefined): string =>
  range === undefined ? '' : `${name} IP range ${not(range.negated)}${printRange(range)}`;

export const iprange: MatchModule<MatchOf<'iprange'>> = {
  kind: 'iprange',
  options: [
    { name: '--src-range', negatable: true },
    { name: '--dst-range', negatable: true },
  ],
  parse(written, rule) {
    const source = parseRange(written, '--src-range', rule);
    const destination = parseRange(written, '--dst-range', rule);
    if (source === undefined && destination === undefined) {
      fail('ERR_RULE_OPTION', written.at, 'iprange: --src-range or --dst-range must be given');
    }
    return { kind: 'iprange', ...(source && { source }), ...(destination && { destination }) };
  },
  save: ({ source, destination }) => joined(saveRange('--src-range', source), saveRange('--dst-range', destination)),
  list: ({ source, destination }) => joined(listRange('source', source), listRange('destination', destination)),
};
