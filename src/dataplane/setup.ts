/** Building a dataplane from a foundation and the rules of its cells. */
import { createDirectory } from '../foundation/directory.ts';
import { hostVethName, VTEP_NAME, vtepAddress, vtepMac } from '../foundation/lease.ts';
import type { Foundation, Cell as FoundationCell } from '../foundation/model.ts';
import { type Arena, heap } from '../memory/arena.ts';
import { compile } from '../rules/compile.ts';
import type { Backend } from '../rules/evaluator.ts';
import { InterfaceNames } from '../rules/interfaces.ts';
import type { Ruleset, Table } from '../rules/model.ts';
import { tableOf } from '../rules/table.ts';
import * as vxlan from '../wire/vxlan.ts';
import { type Cell, inForce } from './cell.ts';
import { create, type Dataplane, type Options } from './dataplane.ts';

/** The rules that one cell runs, and which iptables wrote them. */
export interface CellRules {
  readonly ruleset: Ruleset;
  readonly backend: Backend;
}

/** What a kernel without rules does: three empty chains with policy ACCEPT. */
const EMPTY_FILTER: Table = {
  name: 'filter',
  chains: ['INPUT', 'FORWARD', 'OUTPUT'].map((name) => ({ name, policy: 'ACCEPT', counters: null, rules: [] })),
};

/** The filter table of `ruleset`. */
export const filterOf = (ruleset: Ruleset): Table => tableOf(ruleset, 'filter') ?? EMPTY_FILTER;

/**
 * A dataplane for all cells of `foundation`. `rules` has an entry for every cell, by name; a cell without one accepts
 * everything.
 */
export function createDataplane(
  foundation: Foundation,
  rules: ReadonlyMap<string, CellRules>,
  options: Options,
): Dataplane {
  const interfaces = new InterfaceNames();
  const directory = createDirectory(foundation);
  const instanceInterfaces = Int32Array.from(directory.instances, ({ address }) =>
    interfaces.number(hostVethName(address)),
  );
  const containers = foundation.cells.map((_, index) =>
    instanceInterfaces.filter((_interface, instance) => directory.instanceCell[instance] === index),
  );
  const cells = foundation.cells.map((cell, index) =>
    createCell(foundation, cell, index, rules.get(cell.name), interfaces, containers[index]!, options.arena ?? heap),
  );
  return create(cells, directory, instanceInterfaces, interfaces, options);
}

function createCell(
  foundation: Foundation,
  cell: FoundationCell,
  index: number,
  rules: CellRules | undefined,
  interfaces: InterfaceNames,
  containers: Int32Array,
  arena: Arena,
): Cell {
  const table = rules === undefined ? EMPTY_FILTER : filterOf(rules.ruleset);
  const filter = compile(table, interfaces, { backend: rules?.backend ?? 'nft', arena });
  const mac = vtepMac(cell.lease);
  const vtepInterface = interfaces.number(VTEP_NAME);
  const arriving = { inInterface: vtepInterface, outInterfaces: new Set(containers), markBits: vxlan.MARK_BITS };
  return {
    index,
    name: cell.name,
    underlay: cell.underlay,
    lease: cell.lease,
    overlay: foundation.overlay.network,
    vtepAddress: vtepAddress(cell.lease),
    vtepMac: mac,
    vtepMacHigh: (mac / 0x10000) | 0,
    vtepMacLow: mac & 0xffff,
    vtepWord: vtepAddress(cell.lease) | 0,
    underlayWord: cell.underlay | 0,
    vni: foundation.overlay.vni,
    vtepInterface,
    underlayInterface: interfaces.number(cell.interfaces[0] ?? 'eth0'),
    arriving,
    ...inForce(filter, arriving),
    known: [...filter.rules.rules],
    places: null,
    earlier: null,
  };
}
