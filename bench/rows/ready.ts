import { startHearth } from '../hearth.ts';
import { median } from '../row.ts';
import type { Row } from '../row.ts';

export const readyAfterStart: Row = {
  name: 'ready after start, empty data directory, p50',
  async measure(scale) {
    const times: number[] = [];
    // The first start after a change compiles; it is not counted.
    for (let i = -1; i < scale.starts; i++) {
      const hearth = await startHearth();
      await hearth.stop();
      if (i >= 0) times.push(hearth.readyMs);
    }
    return [
      { row: this.name, unit: 'ms', hearth: median(times), target: { of: 'value', bound: 'atMost', limit: 700 }, samples: times.length },
    ];
  },
};
