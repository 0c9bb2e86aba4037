/** Letting an emulation run: the backlog of its devices, and its timers as capture time goes on. */
import { firstDeadline, giveUp } from './defragment.ts';
import type { Emulation } from './emulation.ts';
import { firstDue, onTimer } from './neighbour.ts';
import { receive } from './receive.ts';
import { transmit } from './transmit.ts';

/** Work on what waits until nothing does. */
function drain(emulation: Emulation): void {
  const { backlog, devices } = emulation;
  while (backlog.next < backlog.end) {
    const at = backlog.next++;
    receive(emulation, backlog.frames[at]!, devices[backlog.devices[at]!]!);
  }
  backlog.next = 0;
  backlog.end = 0;
}

/** Let what waits go its way, and capture time go on to `time` with every timer that is due by then. */
export function advance(emulation: Emulation, time: number): void {
  drain(emulation);
  for (;;) {
    const neighbour = firstDue(emulation);
    const asks = neighbour?.due ?? Number.POSITIVE_INFINITY;
    const due = Math.min(asks, firstDeadline(emulation));
    if (due > time || due === Number.POSITIVE_INFINITY) break;
    emulation.now = Math.max(emulation.now, due);
    if (neighbour !== undefined && asks === due) {
      const host = emulation.hosts[neighbour.device.cell]!;
      const request = onTimer(emulation, host, neighbour);
      if (request !== null) transmit(emulation, host, request, neighbour.device);
    } else giveUp(emulation);
    drain(emulation);
  }
  if (time > emulation.now && time !== Number.POSITIVE_INFINITY) emulation.now = time;
}
