/** Where the rules come from: every combination of inputs that matters, and what is said of those that cannot be. */
import { spawnSync } from 'node:child_process';
import { Command } from 'commander';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { exitCodeOf } from '../../src/cli/exit.ts';
import { readText } from '../../src/cli/files.ts';
import {
  addSourceOptions,
  loadSources,
  readsStandardInput,
  type SourceOptions,
} from '../../src/cli/sources/options.ts';
import { plan } from '../../src/foundation/plan.ts';
import { printRule } from '../../src/rules/print-save.ts';
import { formatIpv4 } from '../../src/wire/address.ts';
import { CELL_B, createFolder, DESTINATION, FOUNDATION, SOURCE } from './inputs.ts';

const test = suite('cli/sources');
const folder = createFolder();
test.after(() => folder.remove());

const foundation = folder.file('foundation.yml', FOUNDATION);
const rules = folder.file('b.txt', CELL_B);
const cellsOnly = folder.file('cells.yml', FOUNDATION.slice(0, FOUNDATION.indexOf('apps:')));
const policies = folder.file(
  'policies.json',
  JSON.stringify({
    total_policies: 1,
    policies: [
      { source: { id: SOURCE }, destination: { id: DESTINATION, protocol: 'udp', ports: { start: 53, end: 53 } } },
    ],
  }),
);
const tags = folder.file('tags.json', JSON.stringify({ tags: [{ id: SOURCE, tag: '0007', type: 'app' }] }));
const store = (ip: string): string =>
  folder.file(
    `store-${ip}.json`,
    JSON.stringify({ h1: { handle: 'h1', ip, metadata: { policy_group_id: SOURCE, space_id: 's1', org_id: 'o1' } } }),
  );

/** Parse arguments as a command would. */
function parse(...words: string[]): SourceOptions {
  const command = addSourceOptions(new Command('any'))
    .exitOverride()
    .configureOutput({ writeErr: () => undefined });
  return command.parse(words, { from: 'user' }).opts();
}

const load = (...words: string[]) => loadSources(parse(...words));

/** What `load` says when it refuses, without the folder; the exit code must be that of bad input. */
async function refusal(...words: string[]): Promise<string> {
  try {
    await load(...words);
  } catch (error) {
    assert.is(exitCodeOf(error), 2, String(error));
    return folder.bare((error as Error).message);
  }
  return assert.unreachable('expected an error') as never;
}

/** The texts of all rules of a cell's chain whose name starts so. */
function rulesOf(sources: Awaited<ReturnType<typeof load>>, cell: string, prefix: string): string[] {
  const filter = sources.rules.get(cell)!.ruleset.tables.find(({ name }) => name === 'filter')!;
  const chain = filter.chains.find(({ name }) => name.startsWith(prefix))!;
  return chain.rules.map((rule) => printRule('X', rule));
}

test('a foundation file plans every cell', async () => {
  const sources = await load('--foundation', foundation);
  assert.equal([...sources.rules.keys()], ['cell-a', 'cell-b']);
  assert.equal(
    sources.origins.map((line) => folder.bare(line)),
    ['cell-a: rules planned from foundation.yml', 'cell-b: rules planned from foundation.yml'],
  );
  assert.equal(sources.warnings, []);
  assert.is(sources.rules.get('cell-a')!.backend, 'nft');
  assert.equal(rulesOf(sources, 'cell-a', 'vpa--'), [
    `-A X -s 10.255.1.4/32 -m comment --comment "src:${SOURCE}" -j MARK --set-xmark 0x1/0xffffffff`,
  ]);
});

test('iptables-save takes the place of planned rules, for that cell only', async () => {
  const sources = await load('--foundation', foundation, '--iptables', `cell-b=${rules}`);
  assert.equal(
    sources.origins.map((line) => folder.bare(line)),
    ['cell-a: rules planned from foundation.yml', 'cell-b: rules read from b.txt (nft)'],
  );
  assert.is(sources.rules.get('cell-b')!.ruleset.tables.length, 3);
  assert.equal(rulesOf(sources, 'cell-b', 'overlay--'), [
    '-A X -d 10.255.2.7/32 -j REJECT --reject-with icmp-port-unreachable',
  ]);
  assert.equal(
    sources.foundation.apps.map(({ name }) => name),
    ['source-app', 'dest-app'],
  );
  assert.equal(
    sources.warnings.map((line) => folder.bare(line)),
    ['no file says the tags of dest-app, so the lowest free ones are used: give --tags FILE'],
  );
});

test('rules alone: the cell is inferred, and that is told', async () => {
  const sources = await load('--iptables', `cell-b=${rules}`);
  assert.equal(
    sources.origins.map((line) => folder.bare(line)),
    [
      'cell-b: rules read from b.txt (nft); inferred from them: underlay address 10.0.0.102, lease 10.255.2.0/24 ' +
        '(the block that holds its containers), 1 container',
    ],
  );
  const [cell] = sources.foundation.cells;
  assert.is(formatIpv4(cell!.underlay), '10.0.0.102');
  assert.equal(
    sources.foundation.apps.map(({ guid, tag }) => [guid, tag]),
    [
      [DESTINATION, null],
      [SOURCE, 1],
    ],
  );
  assert.is(sources.foundation.policies.length, 1);
});

test('a foundation file of names fills in what rules cannot say', async () => {
  const names = folder.file(
    'names.yml',
    `tagplane: 1\napps:\n  - { name: shop, guid: ${SOURCE} }\n  - { name: ledger, guid: ${DESTINATION}, space: prod }\n`,
  );
  const sources = await load('--foundation', names, '--iptables', `cell-b=${rules}`);
  assert.equal(
    sources.foundation.apps.map(({ name, tag, instances }) => [name, tag, instances.length]),
    [
      ['shop', 1, 0],
      ['ledger', null, 1],
    ],
  );
});

test('given policies and tags win over those that the rules show, and the difference is told', async () => {
  const sources = await load('--iptables', `cell-b=${rules}`, '--policies', policies, '--tags', tags);
  assert.equal(
    sources.foundation.policies.map(({ protocol }) => protocol),
    ['udp'],
  );
  assert.is(sources.foundation.apps.find(({ guid }) => guid === SOURCE)!.tag, 7);
  assert.equal(sources.warnings, [
    `cell "cell-b": its rules allow what no given policy does: ${SOURCE} to ${DESTINATION}, tcp 8080`,
    `cell "cell-b", line 18: app ${SOURCE} has tag 0001, but its tag is 0007: are the rules out of date?`,
  ]);
});

test('tags that a real policy server would have given are told to be guesses', async () => {
  const sources = await load('--foundation', cellsOnly, '--policies', policies);
  assert.equal(sources.warnings, [
    `no file says the tags of ${SOURCE}, ${DESTINATION}, so the lowest free ones are used: give --tags FILE`,
  ]);
});

test('a policy server without policies is believed', async () => {
  const none = folder.file('none.json', JSON.stringify({ total_policies: 0, policies: [] }));
  const sources = await load('--iptables', `cell-b=${rules}`, '--policies', none);
  assert.equal(sources.foundation.policies, []);
  assert.match(sources.warnings[0]!, /its rules allow what no given policy does/);
});

test('a host port and a handle that a statement gives to another container stay there', async () => {
  const moved = folder.file('moved.yml', FOUNDATION.replace('ip: 10.255.2.7', 'ip: 10.255.2.9'));
  const sources = await load('--foundation', moved, '--iptables', `cell-b=${rules}`);
  const placed = sources.foundation.apps.flatMap(({ instances }) => instances.filter(({ cell }) => cell === 'cell-b'));
  assert.equal(
    placed.map(({ address, ports }) => [formatIpv4(address), ports.length]),
    [
      ['10.255.2.9', 1],
      ['10.255.2.7', 0],
    ],
  );
  assert.is(placed[0]!.handle, 'd2b7e022-2222-4c4c-5d5d-0002');
  assert.is.not(placed[1]!.handle.slice(0, 8), 'd2b7e022');
});

test('a container store joins the cell that rules place', async () => {
  const sources = await load('--iptables', `cell-b=${rules}`, '--store', `cell-b=${store('10.255.2.9')}`);
  const app = sources.foundation.apps.find(({ guid }) => guid === SOURCE)!;
  assert.equal(
    app.instances.map(({ address, handle }) => [formatIpv4(address), handle]),
    [['10.255.2.9', 'h1']],
  );
  assert.is(app.space, 's1');
});

test('where the store and the rules disagree, the store is right and the difference is told', async () => {
  const sources = await load('--iptables', `cell-b=${rules}`, '--store', `cell-b=${store('10.255.2.7')}`);
  assert.equal(sources.warnings, [
    `cell "cell-b": its rules give 10.255.2.7 to app ${DESTINATION}, but it is an instance of ${SOURCE}`,
  ]);
  const instance = sources.foundation.apps.find(({ guid }) => guid === SOURCE)!.instances[0]!;
  assert.equal(instance.ports, [{ host: 61000, container: 8080 }], 'host ports are in the rules only');
});

test('rules of another cell are noticed', async () => {
  const sources = await load('--foundation', foundation, '--iptables', `cell-a=${rules}`);
  assert.equal(sources.warnings.slice(0, 2), [
    'cell "cell-a": its rules are for underlay address 10.0.0.102, but it has 10.0.0.101: are they another cell\'s?',
    'cell "cell-a": its rules have containers outside its lease 10.255.1.0/24, left out: 10.255.2.7',
  ]);
});

test('a cell without host ports has no known underlay address, and that is told', async () => {
  const bare = folder.file('bare.txt', CELL_B.replace(/^-A netin.*\n/gm, ''));
  const sources = await load('--iptables', `cell-b=${bare}`);
  assert.is(sources.foundation.cells[0]!.underlay >>> 24, 0, 'an address that no frame has');
  assert.equal(sources.warnings, [
    'cell-b: its underlay address is in none of its rules (no container has a host port), so no frame on the underlay ' +
      'is taken for its own; give a foundation file such as { tagplane: 1, cells: [{ name: "cell-b", underlay: ADDRESS, ' +
      'lease: 10.255.2.0/24 }] }',
  ]);
});

test('a cell without containers is left out, or refused when it is the only one', async () => {
  const empty = folder.file('empty.txt', '*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\nCOMMIT\n');
  const sources = await load('--iptables', `cell-b=${rules}`, '--iptables', `cell-c=${empty}`);
  assert.equal([...sources.rules.keys()], ['cell-b']);
  assert.match(sources.warnings[0]!, /^cell-c: left out, because its rules name no container/);
  assert.match(
    await refusal('--iptables', `cell-c=${empty}`),
    /^cell-c: left out, because its rules name no container/,
  );
});

test('the backend is read from the header, and can be told', async () => {
  const legacy = folder.file('legacy.txt', CELL_B.replace(' (nf_tables)', ''));
  const silent = folder.file('silent.txt', CELL_B.replace(/^#.*\n/, ''));
  assert.is((await load('--iptables', `cell-b=${legacy}`)).rules.get('cell-b')!.backend, 'legacy');
  const told = await load('--iptables', `cell-b=${legacy}`, '--iptables-backend', 'nft');
  assert.is(told.rules.get('cell-b')!.backend, 'nft');
  const unsaid = await load('--iptables', `cell-b=${silent}`);
  assert.is(unsaid.rules.get('cell-b')!.backend, 'nft');
  assert.match(unsaid.origins[0]!, /\(taken for nft, since the file does not say\)/);
  const planned = await load('--foundation', foundation, '--iptables-backend', 'legacy');
  assert.is(planned.rules.get('cell-a')!.backend, 'legacy');
});

test('iptables-save that shows only half of the rules is noticed', async () => {
  const nat = folder.file('nat.txt', CELL_B.slice(CELL_B.indexOf('*nat')));
  const both = folder.file(
    'both.txt',
    `${CELL_B}# Warning: iptables-legacy tables present, use iptables-legacy-save to see them\n`,
  );
  const [first] = (await load('--foundation', foundation, '--iptables', `cell-b=${nat}`)).warnings;
  assert.is(
    folder.bare(first!),
    'nat.txt: got no filter table, so nothing is rejected: save all tables (iptables-save without -t)',
  );
  const [second] = (await load('--iptables', `cell-b=${both}`)).warnings;
  assert.is(
    folder.bare(second!),
    'both.txt: the cell has legacy rules besides these; save them with iptables-legacy-save to see them',
  );
});

test('an unknown match is an error, or a warning and no match', async () => {
  const odd = folder.file(
    'odd.txt',
    CELL_B.replace('-A FORWARD -j overlay', '-A FORWARD -m geoip --source-country X -j DROP\n-A FORWARD -j overlay'),
  );
  assert.match(await refusal('--iptables', `cell-b=${odd}`), /^odd\.txt:16:\d+: .*geoip/);
  const sources = await load('--iptables', `cell-b=${odd}`, '--unknown-matches=assume-no-match');
  assert.match(folder.bare(sources.warnings[0]!), /^odd\.txt:16:\d+: .*geoip/);
});

test('--logging plans log rules, and says when there is nothing to plan', async () => {
  const quiet = await load('--foundation', foundation);
  const loud = await load('--foundation', foundation, '--logging');
  assert.is(rulesOf(quiet, 'cell-b', 'vpa--').length, 1);
  assert.match(rulesOf(loud, 'cell-b', 'vpa--')[0]!, /-j LOG --log-prefix "OK_0001_20e39f68-0000-4000-8 "$/);
  const idle = await load('--iptables', `cell-b=${rules}`, '--logging');
  assert.equal(idle.warnings, ['--logging changes planned rules only, and no cell has planned rules']);
});

test('--cell must name cells', async () => {
  assert.equal((await load('--foundation', foundation, '--cell', 'cell-b')).cells, ['cell-b']);
  assert.is(
    await refusal('--foundation', foundation, '--cell', 'cell-x'),
    '--cell cell-x: there is no cell called cell-x; expected one of cell-a, cell-b',
  );
});

test('what contradicts itself is refused with what to do', async () => {
  const cases: readonly [words: string[], message: string][] = [
    [
      [],
      'nothing says which cells, apps and rules there are: give --foundation FILE, or --iptables CELL=FILE with what ' +
        'iptables-save printed on a cell (once for each cell)',
    ],
    [
      ['--iptables', rules],
      '--iptables b.txt: expected CELL=FILE, the name of a cell and its file: --iptables cell-a=b.txt',
    ],
    [
      ['--store', '=x.json'],
      '--store =x.json: expected CELL=FILE, the name of a cell and its file: --store cell-a=x.json',
    ],
    [
      ['--iptables', 'cell-a='],
      '--iptables cell-a=: expected CELL=FILE, the name of a cell and its file: --iptables cell-a=FILE',
    ],
    [
      ['--foundation', foundation, '--iptables', `cell-x=${rules}`],
      '--iptables cell-x=b.txt: foundation.yml has no cell called cell-x; its cells are cell-a, cell-b',
    ],
    [
      ['--foundation', foundation, '--store', `cell-x=${store('10.255.2.9')}`],
      '--store cell-x=store-10.255.2.9.json: foundation.yml has no cell called cell-x; its cells are cell-a, cell-b',
    ],
    [
      ['--iptables', `cell-b=${rules}`, '--iptables', `cell-b=${rules}`],
      '--iptables names cell cell-b twice: give each cell one file',
    ],
    [
      ['--foundation', '-', '--policies', '-'],
      'standard input (-) can be only one of the files: save the others and name them',
    ],
    [
      ['--policies', policies],
      'no cell is known: give --foundation FILE with cells, or --iptables CELL=FILE with what iptables-save printed on one',
    ],
    [
      ['--store', `cell-b=${store('10.255.2.9')}`],
      'store-10.255.2.9.json:1:1: got the containers of cell "cell-b", but nothing says its underlay address and lease; ' +
        'add a foundation file such as { tagplane: 1, cells: [{ name: "cell-b", underlay: ADDRESS, lease: 10.255.2.0/24 }] }',
    ],
    [
      [
        '--iptables',
        `cell-b=${folder.file('six.txt', '# Generated by ip6tables-save v1.8.9 on X\n*filter\nCOMMIT\n')}`,
      ],
      '--iptables cell-b=six.txt: got the IPv6 rules of ip6tables-save, expected those of iptables-save ' +
        '(container-to-container traffic is IPv4)',
    ],
  ];
  for (const [words, message] of cases) assert.is(await refusal(...words), message);
});

test('files that cannot be read as text are refused by name', async () => {
  const cases: readonly [file: string, message: string][] = [
    [folder.file('x', '').replace(/x$/, 'absent.yml'), 'absent.yml: cannot be read: no such file'],
    [folder.file('x', '').replace(/\/x$/, ''), ': cannot be read: it is a directory'],
    [
      folder.file('bad.yml', Buffer.from('tagplane: 1 # \ufffd caf\xe9', 'latin1')),
      'bad.yml: got text that is not UTF-8 from offset 14 on, expected UTF-8',
    ],
    [
      folder.file('bad2.yml', Buffer.concat([Buffer.from('# \ufffd é '), Buffer.from([0x80])])),
      'bad2.yml: got text that is not UTF-8 from offset 9 on, expected UTF-8',
    ],
    [
      folder.file('rules.gz', Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0])),
      'rules.gz: got gzip-compressed data, expected text: try gzip -dc',
    ],
  ];
  for (const [file, message] of cases)
    assert.is((await refusal('--foundation', file)).replace(/^.*\/tagplane-\w+/, ''), message);
});

test('a foundation of cells and a store plan the rest', async () => {
  const sources = await load(
    '--foundation',
    cellsOnly,
    '--store',
    `cell-b=${store('10.255.2.9')}`,
    '--policies',
    policies,
    '--tags',
    tags,
  );
  assert.is(
    folder.bare(sources.origins[1]!),
    'cell-b: rules planned from cells.yml, policies.json, tags.json and store-10.255.2.9.json',
  );
  assert.equal(rulesOf(sources, 'cell-b', 'vpa--'), [
    `-A X -s 10.255.2.9/32 -m comment --comment "src:${SOURCE}" -j MARK --set-xmark 0x7/0xffffffff`,
  ]);
});

test('every cell is planned as if it were given all policies', async () => {
  const several = folder.file(
    'several.yml',
    `${FOUNDATION.replace('ip: 10.255.1.4', 'ip: 10.255.1.9 }, { cell: cell-b, ip: 10.255.2.4').replace(', handle: 5a1f0c11-1111-4a4a-5b5b-0001', '')}
  - { source: dest-app, destination: source-app, protocol: udp, ports: 9 }
  - { source: dest-app, destination: dest-app, protocol: udp, ports: 10 }
`,
  );
  const { foundation: read, rules: planned } = await load('--foundation', several);
  for (const { name } of read.cells) assert.equal(planned.get(name)!.ruleset, plan(read, name), name);
});

test('a file has a limit, and standard input is read like one', async () => {
  const code = `import(${JSON.stringify(new URL('../../src/cli/files.js', import.meta.url).href)}).then(async ({ readText }) => console.log((await readText('-')).length))`;
  const run = spawnSync(process.execPath, ['-e', code], { input: CELL_B, encoding: 'utf8' });
  assert.is(run.stdout, `${CELL_B.length}\n`, run.stderr);
  assert.is((await readText(rules, CELL_B.length)).length, CELL_B.length);
  try {
    await readText(rules, CELL_B.length - 1);
    assert.unreachable();
  } catch (error) {
    assert.is(
      folder.bare((error as Error).message),
      `b.txt: got more than ${CELL_B.length - 1} octets, expected fewer`,
    );
  }
});

test('standard input is known to be used', () => {
  assert.is(readsStandardInput(parse('--iptables', 'cell-a=-')), true);
  assert.is(readsStandardInput(parse('--iptables', 'cell-a=-x')), false);
});

test.run();
