/** Where the captures of a scenario are taken. */
import { join } from 'node:path';
import type { Cell, Instance } from '../src/foundation/model.ts';
import { formatCidr } from '../src/wire/address.ts';
import type { Lab } from '../test/conformance/lab.ts';
import { HOST_VETH_ADDRESS, hostVeth } from '../test/conformance/lab-names.ts';
import type { Tap } from '../test/conformance/lab-taps.ts';
import type { TapFrames } from './truth.ts';

export type LabTap = Tap & Omit<TapFrames, 'frames'>;

/** The underlay interfaces of `underlayTaps` as pcapng; inside every container and its host's veth as pcap. */
export function tapsOf(lab: Lab, underlayTaps: readonly string[], directory: string): LabTap[] {
  const { cells, apps } = lab.foundation;
  const underlay = cells
    .filter(({ name }) => underlayTaps.includes(name))
    .map((cell) => underlayTap(lab, cell, directory));
  const instances = apps.flatMap((app) =>
    app.instances.flatMap((instance, index) => [
      containerTap(lab, instance, { app: app.name, index }, directory),
      vethTap(lab, instance, directory),
    ]),
  );
  return [...underlay, ...instances];
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

const containerTap = (
  { namespaces }: Lab,
  { cell, address }: Instance,
  { app, index }: { app: string; index: number },
  directory: string,
): LabTap => ({
  name: `${cell}/${hostVeth(address)}/eth0`,
  cell,
  kind: 'container',
  address,
  namespace: namespaces.containers.get(`${app}/${index}`)!,
  device: 'eth0',
  file: join(directory, `${app}-${index}.eth0.pcap`),
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
