/** What the parser takes, what it refuses and how it says so. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { RuleError, type RuleErrorCode } from '../../src/rules/error.ts';
import type { Rule } from '../../src/rules/model.ts';
import { type ParsedRuleset, parseRuleset } from '../../src/rules/parse.ts';
import { printList } from '../../src/rules/print-list.ts';
import { printRule, printSave } from '../../src/rules/print-save.ts';
import { rulesIn, WRITTEN } from './written.ts';

const test = suite('rules/parse');

const strict = (text: string): ParsedRuleset => parseRuleset(text, { file: 'rules.v4', unknownMatches: 'error' });
const lenient = (text: string): ParsedRuleset =>
  parseRuleset(text, { file: 'rules.v4', unknownMatches: 'assume-no-match' });
const filter = (...lines: readonly string[]): string => `*filter\n${lines.join('\n')}\nCOMMIT\n`;
const onlyRule = ({ ruleset }: ParsedRuleset): Rule => ruleset.tables[0]!.chains.flatMap(({ rules }) => rules)[0]!;

function refused(text: string): RuleError {
  try {
    strict(text);
  } catch (error) {
    if (error instanceof RuleError) return error;
    throw error;
  }
  throw new Error(`this was taken:\n${text}`);
}

test('what people write means what it means to iptables', () => {
  for (const { table, line, saved } of WRITTEN) {
    const { ruleset, warnings } = strict(`*${table}\n:chain -\n${line}\nCOMMIT\n`);
    assert.equal(rulesIn(printSave(ruleset, { counters: true })), saved, line);
    assert.equal(warnings, []);
  }
});

test('a negation may stand after the option, as old versions wrote it', () => {
  for (const [old, today] of [
    ['-s ! 1.2.3.4', '! -s 1.2.3.4/32'],
    ['-p tcp --dport ! 80', '-p tcp -m tcp ! --dport 80'],
    ['-p tcp --tcp-flags ! SYN SYN', '-p tcp -m tcp ! --tcp-flags SYN SYN'],
    ['-i ! eth0', '! -i eth0'],
    ['-m mark --mark ! 0', '-m mark ! --mark 0x0'],
  ]) {
    assert.is(printRule('FORWARD', onlyRule(strict(filter(`-A FORWARD ${old}`)))), `-A FORWARD ${today}`);
  }
});

test('comments, blank lines, CRLF, leading blanks and a missing last line break are taken', () => {
  const text = '# head\r\n\r\n*filter\r\n:FORWARD DROP [1:2]\r\n  -A FORWARD -j ACCEPT  \r\n# tail\r\nCOMMIT';
  const { ruleset } = strict(text);
  assert.is(printSave(ruleset), '*filter\n:FORWARD DROP [1:2]\n-A FORWARD -j ACCEPT\nCOMMIT\n');
  assert.is(onlyRule({ ruleset, warnings: [] }).line, 5);
});

test('-N and -P declare chains; a built-in chain needs no declaration', () => {
  const { ruleset } = strict(filter('-N mine', '-P FORWARD DROP', '-A INPUT -j mine'));
  const chains = ruleset.tables[0]!.chains.map(({ name, policy }) => [name, policy]);
  assert.equal(chains, [
    ['mine', null],
    ['FORWARD', 'DROP'],
    ['INPUT', 'ACCEPT'],
  ]);
});

/** What is refused: the line in the filter table, the code, and the word under the caret. */
const REFUSED: readonly (readonly [line: string, code: RuleErrorCode, at: string])[] = [
  ['-A FORWARD -p tcp --dport 65536', 'ERR_RULE_VALUE', '65536'],
  ['-A FORWARD -p tcp --dport 90:80', 'ERR_RULE_VALUE', '90:80'],
  ['-A FORWARD -p tcp --dport 08', 'ERR_RULE_VALUE', '08'],
  ['-A FORWARD -p tcp --dport no-such-service', 'ERR_RULE_VALUE', 'no-such-service'],
  ['-A FORWARD -p tcp --dport 1:2:3', 'ERR_RULE_VALUE', '1:2:3'],
  ['-A FORWARD -s 10.0.0.0/33', 'ERR_RULE_VALUE', '10.0.0.0/33'],
  ['-A FORWARD -s 10.0.0.256', 'ERR_RULE_VALUE', '10.0.0.256'],
  ['-A FORWARD -s host.example', 'ERR_RULE_VALUE', 'host.example'],
  ['-A FORWARD ! -s 1.1.1.1,2.2.2.2', 'ERR_RULE_OPTION', '-s'],
  ['-A FORWARD -s 1.1.1.1 -s 2.2.2.2', 'ERR_RULE_OPTION', '-s'],
  ['-A FORWARD -p 256', 'ERR_RULE_VALUE', '256'],
  ['-A FORWARD -p nonsense', 'ERR_RULE_VALUE', 'nonsense'],
  ['-A FORWARD ! -p all', 'ERR_RULE_VALUE', 'all'],
  ['-A FORWARD -i sixteencharacter', 'ERR_RULE_VALUE', 'sixteencharacter'],
  ['-A INPUT -o eth0', 'ERR_RULE_OPTION', '-o'],
  ['-A OUTPUT -i eth0', 'ERR_RULE_OPTION', '-i'],
  ['-A FORWARD -m tcp --dport 80', 'ERR_RULE_OPTION', 'tcp'],
  ['-A FORWARD ! -p tcp -m multiport --dports 80', 'ERR_RULE_OPTION', 'multiport'],
  ['-A FORWARD -p tcp -m multiport --dports 1:2,3:4,5:6,7:8,9:10,11:12,13:14,15:16', 'ERR_RULE_VALUE', '1:2,3:4'],
  ['-A FORWARD --dport 80', 'ERR_RULE_UNKNOWN', '--dport'],
  ['-A FORWARD -p tcp --dpo', 'ERR_RULE_OPTION', '--dpo'],
  ['-A FORWARD -p tcp --s 80', 'ERR_RULE_UNKNOWN', '--s'],
  ['-A FORWARD -m mark --mark 0x100000000', 'ERR_RULE_VALUE', '0x100000000'],
  ['-A FORWARD -m mark --mark 1/0x1ffffffff', 'ERR_RULE_VALUE', '1/0x1ffffffff'],
  ['-A FORWARD -m mark', 'ERR_RULE_OPTION', 'mark'],
  ['-A FORWARD -m limit ! --limit 5/sec', 'ERR_RULE_OPTION', '--limit'],
  ['-A FORWARD -m limit --limit 10001/sec', 'ERR_RULE_VALUE', '10001/sec'],
  ['-A FORWARD -m limit --limit 0/sec', 'ERR_RULE_VALUE', '0/sec'],
  ['-A FORWARD -m limit --limit 5/fortnight', 'ERR_RULE_VALUE', '5/fortnight'],
  ['-A FORWARD -m state --state SNAT', 'ERR_RULE_VALUE', 'SNAT'],
  ['-A FORWARD -m conntrack --ctproto tcp', 'ERR_RULE_UNKNOWN', '--ctproto'],
  ['-A FORWARD -m hashlimit --hashlimit-upto 5/sec', 'ERR_RULE_OPTION', 'hashlimit'],
  ['-A FORWARD -m string --algo bm --string x', 'ERR_RULE_UNKNOWN', 'string'],
  ['-A FORWARD -j NFQUEUE --queue-num 1', 'ERR_RULE_UNKNOWN', 'NFQUEUE'],
  ['-A FORWARD -j REJECT --reject-with tcp-reset', 'ERR_RULE_OPTION', 'tcp-reset'],
  ['-A FORWARD -j REJECT --reject-with nonsense', 'ERR_RULE_VALUE', 'nonsense'],
  ['-A FORWARD -j MASQUERADE', 'ERR_RULE_OPTION', 'MASQUERADE'],
  ['-A FORWARD -j MARK --set-mark 1 --or-mark 2', 'ERR_RULE_OPTION', '--or-mark'],
  ['-A FORWARD -j LOG --log-prefix thirty-characters-are-too-long', 'ERR_RULE_VALUE', 'thirty'],
  ['-A FORWARD ! -j ACCEPT', 'ERR_RULE_OPTION', '-j'],
  ['-A FORWARD -j ACCEPT -j DROP', 'ERR_RULE_OPTION', '-j'],
  ['-A FORWARD -j nowhere', 'ERR_RULE_CHAIN', 'nowhere'],
  ['-A FORWARD -g ACCEPT', 'ERR_RULE_CHAIN', 'ACCEPT'],
  ['-A FORWARD -j INPUT', 'ERR_RULE_CHAIN', 'INPUT'],
  ['-A missing -j ACCEPT', 'ERR_RULE_CHAIN', 'missing'],
  ['-N FORWARD', 'ERR_RULE_CHAIN', 'FORWARD'],
  [':LOG - [0:0]', 'ERR_RULE_CHAIN', ':LOG'],
  [':twenty-nine-characters-is-long - [0:0]', 'ERR_RULE_CHAIN', ':twenty'],
  [':mine ACCEPT [0:0]', 'ERR_RULE_CHAIN', 'ACCEPT'],
  [':FORWARD REJECT [0:0]', 'ERR_RULE_VALUE', 'REJECT'],
  [':FORWARD DROP [0:x]', 'ERR_RULE_SYNTAX', '[0:x]'],
  [':FORWARD DROP [0:99999999999999999999]', 'ERR_RULE_VALUE', '[0:9'],
  ['-I FORWARD -j ACCEPT', 'ERR_RULE_SYNTAX', '-I'],
  ['-A FORWARD ACCEPT', 'ERR_RULE_SYNTAX', 'ACCEPT'],
  ['-A FORWARD -m comment --comment "open', 'ERR_RULE_SYNTAX', '"open'],
  ['-A FORWARD ! ! -s 1.1.1.1', 'ERR_RULE_SYNTAX', '! -s'],
  ['-A FORWARD -s 1.1.1.1 !', 'ERR_RULE_SYNTAX', '!'],
  ['-A FORWARD "-j" ACCEPT', 'ERR_RULE_SYNTAX', '"-j"'],
  ['*nat', 'ERR_RULE_SYNTAX', '*nat'],
];

test('what is wrong is refused with its code, and the caret stands under it', () => {
  for (const [line, code, at] of REFUSED) {
    const error = refused(filter(line));
    assert.is(error.code, code, error.message);
    assert.is(error.line, 2);
    assert.ok(line.slice(error.column - 1).startsWith(at), error.message);
    const [head, shown, caret] = error.message.split('\n') as [string, string, string];
    assert.ok(head.startsWith(`rules.v4:2:${error.column}: `), head);
    assert.ok(shown.slice(caret.indexOf('^')).startsWith(at), error.message);
  }
});

test('the frame of a file is checked', () => {
  for (const [text, line, code] of [
    ['*filter\n-A FORWARD -j ACCEPT\n', 1, 'ERR_RULE_SYNTAX'],
    ['*filter\n*nat\nCOMMIT\n', 2, 'ERR_RULE_SYNTAX'],
    ['COMMIT\n', 1, 'ERR_RULE_SYNTAX'],
    ['-A FORWARD -j ACCEPT\n', 1, 'ERR_RULE_SYNTAX'],
    ['*filter\nCOMMIT\n*filter\nCOMMIT\n', 3, 'ERR_RULE_SYNTAX'],
    ['*broute\nCOMMIT\n', 1, 'ERR_RULE_SYNTAX'],
    ['*filter\n:a - [0:0]\n:a - [0:0]\nCOMMIT\n', 3, 'ERR_RULE_CHAIN'],
    ['*filter\n-A FORWARD -j later\n:later - [0:0]\nCOMMIT\n', 2, 'ERR_RULE_CHAIN'],
    ['*filter\n:a -\n:b -\n-A a -j b\n-A b -g a\nCOMMIT\n', 5, 'ERR_RULE_CHAIN'],
    ['*filter\n:a -\n-A a -j a\nCOMMIT\n', 3, 'ERR_RULE_CHAIN'],
  ] as const) {
    const error = refused(text);
    assert.equal([error.line, error.code], [line, code], error.message);
  }
});

test('chains that meet again are no loop', () => {
  strict(filter(':a -', ':b -', ':c -', '-A FORWARD -j a', '-A FORWARD -j b', '-A a -j c', '-A b -j c', '-A b -g a'));
});

test('what is not understood is kept word for word, with a warning for each use', () => {
  const line =
    '-A FORWARD -p tcp -m string --algo bm --string "a b" ! --icase -m tcp --dport 80 -j TCPMSS --set-mss 1400';
  const { ruleset, warnings } = lenient(filter(line));
  const rule = onlyRule({ ruleset, warnings });
  assert.equal(rule.matches[0], { kind: 'unknown', module: 'string', text: '--algo bm --string "a b" ! --icase' });
  assert.equal(rule.target, { kind: 'unknown', name: 'TCPMSS', text: '--set-mss 1400' });
  assert.is(printRule('FORWARD', rule), line);
  assert.equal(
    warnings.map(({ file, line: number, column }) => [file, number, column]),
    [
      ['rules.v4', 2, line.indexOf('string') + 1],
      ['rules.v4', 2, line.indexOf('TCPMSS') + 1],
    ],
  );
  assert.match(printList(ruleset.tables[0]!), 'TCPMSS');
});

test('an option that is not understood makes its whole match unknown', () => {
  const line = '-A FORWARD -m conntrack --ctstate NEW ! --ctorigsrc 10.0.0.0/8 -j ACCEPT';
  const { ruleset, warnings } = lenient(filter(line));
  const { matches, target } = onlyRule({ ruleset, warnings });
  assert.equal(matches, [{ kind: 'unknown', module: 'conntrack', text: '--ctstate NEW ! --ctorigsrc 10.0.0.0/8' }]);
  assert.equal(target, { kind: 'ACCEPT' });
  assert.match(warnings[0]!.message, '--ctorigsrc');
});

test('a protocol whose match is not understood keeps its options', () => {
  const { ruleset, warnings } = lenient(filter('-A FORWARD -p sctp --dport 80 -j ACCEPT'));
  const rule = onlyRule({ ruleset, warnings });
  assert.is(printRule('FORWARD', rule), '-A FORWARD -p sctp -m sctp --dport 80 -j ACCEPT');
  assert.is(warnings.length, 1);
});

test('a missing chain stays an error when unknown matches are taken', () => {
  assert.throws(
    () => lenient(filter('-A FORWARD -j nowhere')),
    (error: Error) => error instanceof RuleError,
  );
});

test('an address range that ends below its start is a warning: iptables takes it and it never matches', () => {
  const { warnings } = strict(filter('-A FORWARD -m iprange --src-range 1.2.3.4-1.2.3.3'));
  assert.is(warnings.length, 1);
});

test('messages stay short and hold no control characters', () => {
  const long = refused(filter(`-A FORWARD -s ${'\u001b[31m'.repeat(100_000)}`));
  assert.ok(long.message.length < 1000);
  assert.not.ok(long.message.includes('\u001b'));
});

test('no line grows without bound: words, address lists', () => {
  const many = refused(filter(`-A FORWARD ${'-m comment --comment a '.repeat(100_000)}`));
  assert.is(many.code, 'ERR_RULE_SYNTAX');
  const list = Array.from({ length: 65 }, (_, index) => `10.0.0.${index}`).join(',');
  assert.is(refused(filter(`-A FORWARD -s ${list} -d ${list}`)).code, 'ERR_RULE_VALUE');
});

test('10 MB of rules are read in linear time', () => {
  const text = (count: number): string =>
    filter(
      ...Array.from(
        { length: count },
        (_, i) =>
          `-A FORWARD -d 10.255.${(i >> 8) & 255}.${i & 255}/32 -p tcp --dport ${i % 65536} -m comment --comment "src:6b817f74-0000-4000-8000-7fe5290ffb61" -j ACCEPT`,
      ),
    );
  const seconds = (input: string): number => {
    const start = performance.now();
    strict(input);
    return (performance.now() - start) / 1000;
  };
  seconds(text(2000));
  const [small, large] = [text(10_000), text(80_000)];
  assert.ok(large.length > 10_000_000);
  const [one, eight] = [seconds(small), seconds(large)];
  // Quadratic work would take 64 times as long.
  assert.ok(eight < 30 * one + 1, `${one.toFixed(2)} s for one, ${eight.toFixed(2)} s for eight times as much`);
});

test.run();
