import { LinuxMachine } from '../../src/adapters/linux/mod.ts';
import { SimMachine } from '../../src/adapters/simulated/mod.ts';
import { machineContract } from './machine.ts';

const skip = process.platform === 'linux' ? false : 'reads what only Linux has';

machineContract(
  'LinuxMachine',
  async (_t, clock) => {
    // Written to, or the kernel gives no page.
    const held: Buffer[] = [];
    return { machine: new LinuxMachine({ clock }), take: async (mib) => void held.push(Buffer.alloc(mib * 1024 * 1024, 1)) };
  },
  { skip },
);

machineContract('SimMachine', async (_t, clock) => {
  const machine = new SimMachine(clock, { cpuPressure: 12.5 });
  return { machine, take: async (mib) => void (machine.state.availableMiB -= mib) };
});
