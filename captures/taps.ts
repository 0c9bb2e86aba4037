/** Where the captures of a scenario are taken. */
import { join } from 'node:path';
import type { Cell, Instance } from '../src/foundation/model.ts';
import { formatCidr } from '../src/wire/address.ts';
import type { Lab } from '../test/conformance/lab.ts';
import { HOST_VETH_ADDRESS, hostVeth } from '../test/conformance/lab-names.ts';
import type { Tap } from '../test/conformance/lab-taps.ts';
import type { Scenario } from './scenarios.ts';
import type { TapFrames } from './truth.ts';

export type LabTap = Tap & Omit<TapFrames, 'frames'>;

/** Underlay interfaces as pcapng; inside every container, and the host's veths of some cells, as pcap. */
export function tapsOf(lab: Lab, { underlayTaps, vethTaps }: Scenario, directory: string): LabTap[] {
  const { cells, apps } = lab.foundation;
  const instances = apps.flatMap((app) => app.instances.map((instance, index) => ({ app: app.name, index, instance })));
  return [
    ...cells.filter(({ name }) => underlayTaps.includes(name)).map((cell) => underlayTap(lab, cell, directory)),
    ...instances.map(({ app, index, instance }) => containerTap(lab, instance, `${app}/${index}`, directory)),
    ...instances
      .filter(({ instance }) => vethTaps.includes(instance.cell))
      .map(({ instance }) => vethTap(lab, instance, directory)),
  ];
}

const underlayTap = ({ namespaces }: Lab, { name }: Cell, directory: string): LabTap => ({
  name: `${name}/eth0`,
  cell: name,
  kind: 'underlay',
  address: 0,
  namespace: namespaces.cells.get(name)!,
  device: 'eth0',
  file: join(directory, `${name}.eth0.pcapng`),
  format: 'pcapng',
  filter: '',
});

const containerTap = ({ namespaces }: Lab, { cell, address }: Instance, name: string, directory: string): LabTap => ({
  name: `${cell}/${hostVeth(address)}/eth0`,
  cell,
  kind: 'container',
  address,
  namespace: namespaces.containers.get(name)!,
  device: 'eth0',
  file: join(directory, `${name.replace('/', '-')}.eth0.pcap`),
  format: 'pcap',
  filter: '',
});

/** Only what stays inside the cell, and the errors its host answers with; the rest is on the underlay. */
function vethTap({ foundation, namespaces }: Lab, { cell, address }: Instance, directory: string): LabTap {
  const device = hostVeth(address);
  const net = formatCidr(foundation.cells.find(({ name }) => name === cell)!.lease);
  return {
    name: `${cell}/${device}`,
    cell,
    kind: 'veth',
    address,
    namespace: namespaces.cells.get(cell)!,
    device,
    file: join(directory, `${cell}.${device}.pcap`),
    format: 'pcap',
    filter: `(src net ${net} and dst net ${net}) or (src host ${HOST_VETH_ADDRESS} and dst net ${net})`,
  };
}
