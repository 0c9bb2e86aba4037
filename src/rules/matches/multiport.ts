/** `-m multiport` (libxt_multiport.c): up to 15 ports, a range counting as two. */
import type { PortRange } from '../model.ts';
import { exactlyOne, fail, type MatchModule, type MatchOf, not } from '../text/module.ts';
import { PROTOCOL } from '../text/protocols.ts';
import { serviceOfPort } from '../text/services.ts';
import { printPortRange, readPortRange } from '../text/values.ts';

const CAPACITY = 15;
const WHICH = { '--sports': 'source', '--dports': 'destination', '--ports': 'either' } as const;
const NAME = { source: 'sports', destination: 'dports', either: 'ports' } as const;

const slots = (ranges: readonly PortRange[]): number =>
  ranges.reduce((sum, { low, high }) => sum + (low === high ? 1 : 2), 0);

export const multiport: MatchModule<MatchOf<'multiport'>> = {
  kind: 'multiport',
  protocols: [PROTOCOL.TCP, PROTOCOL.UDP, PROTOCOL.UDPLITE, PROTOCOL.SCTP, PROTOCOL.DCCP],
  options: [
    { name: '--sports', aliases: ['--source-ports'], negatable: true },
    { name: '--dports', aliases: ['--destination-ports'], negatable: true },
    { name: '--ports', negatable: true },
  ],
  parse(written, { protocol }) {
    const given = exactlyOne(written, Object.keys(WHICH));
    const word = given.values[0]!;
    const tooMany = (): never => fail('ERR_RULE_VALUE', word, `more than ${CAPACITY} ports (a range counts as two)`);
    const texts = word.text.split(',', CAPACITY + 1);
    if (texts.length > CAPACITY) tooMany();
    const ranges = texts.map((text) => readPortRange(word, text, ':', protocol, false));
    if (slots(ranges) > CAPACITY) tooMany();
    return { kind: 'multiport', which: WHICH[given.spec.name as keyof typeof WHICH], ranges, negated: given.negated };
  },
  save: ({ which, ranges, negated }) =>
    `${not(negated)}--${NAME[which]} ${ranges.map((range) => printPortRange(range, ':')).join(',')}`,
  list({ which, ranges, negated }, { numeric, protocol }) {
    const port = (value: number): string => (numeric ? `${value}` : serviceOfPort(value, protocol));
    const listed = ranges.map(({ low, high }) => (low === high ? port(low) : `${port(low)}:${port(high)}`)).join(',');
    return `multiport ${NAME[which]} ${negated ? ' !' : ''}${listed}`;
  },
};
