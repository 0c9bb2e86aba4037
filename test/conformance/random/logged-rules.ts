/**
 * The rules of a cell with LOG rules that can be told from those of other labs on this machine, whose lines stand in the same
 * kernel log: every prefix begins with a word of this process and the cell. And with two more that log everything, in chains
 * that follow from the seed, but where a rule has a limit: writing takes the kernel time, and limits of iptables-nft count it.
 */
import type { Chain, Rule, Ruleset, TableName } from '../../../src/rules/model.ts';

const WORD = `R${process.pid.toString(36)}`;
/** What `-j LOG` takes. */
const LONGEST_PREFIX = 29;

const CHAINS = [
  ...['PREROUTING', 'INPUT', 'FORWARD', 'OUTPUT', 'POSTROUTING'].map((chain) => ['mangle', chain] as const),
  ...['PREROUTING', 'INPUT', 'OUTPUT', 'POSTROUTING'].map((chain) => ['nat', chain] as const),
  ...['INPUT', 'FORWARD', 'OUTPUT'].map((chain) => ['filter', chain] as const),
];

/** How the lines of `cell` begin. */
export const wordOf = (cell: string): string => `${WORD}${cell} `;

const isOf = (table: TableName, { name }: Chain, place: number): boolean => {
  const [wantedTable, wantedChain] = CHAINS[place % CHAINS.length]!;
  return table === wantedTable && name === wantedChain;
};

const everything = (prefix: string): Rule => ({
  ip: {},
  matches: [],
  target: {
    kind: 'LOG',
    level: 4,
    prefix,
    tcpSequence: true,
    tcpOptions: true,
    ipOptions: true,
    uid: false,
    macdecode: false,
  },
  counters: null,
  line: 0,
});

const marked = (rule: Rule, word: string): Rule =>
  rule.target.kind === 'LOG'
    ? { ...rule, target: { ...rule.target, prefix: (word + rule.target.prefix).slice(0, LONGEST_PREFIX) } }
    : rule;

const hasLimit = ({ matches }: Rule): boolean => matches.some(({ kind }) => kind === 'limit' || kind === 'hashlimit');

/** `ruleset` of `cell` with these LOG rules, in a case with `seed`. */
export function withLogs(ruleset: Ruleset, cell: string, seed: number): Ruleset {
  const word = wordOf(cell);
  const number = seed >>> 1;
  const isLimited = ruleset.tables.some(({ chains }) => chains.some(({ rules }) => rules.some(hasLimit)));
  const logged = (table: TableName, chain: Chain): Chain => {
    const rules = chain.rules.map((rule) => marked(rule, word));
    const isChosen = isOf(table, chain, 5 * number) || isOf(table, chain, 7 * number + 3);
    return {
      ...chain,
      rules: isChosen && !isLimited ? [everything(`${word}${table[0]} ${chain.name} `), ...rules] : rules,
    };
  };
  return {
    tables: ruleset.tables.map((table) => ({
      ...table,
      chains: table.chains.map((chain) => logged(table.name, chain)),
    })),
  };
}
