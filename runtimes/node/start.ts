/**
 * The zygote's program: `node --single-threaded --expose-gc --no-flush-bytecode start.js HOST`, with the host's pid, and the command socket as
 * descriptor 3; descriptor 4 is the library that the loader has mapped. What of Node the runtime and most functions use is loaded first, from
 * the code that Node has compiled already.
 */
import 'node:async_hooks';
import crypto from 'node:crypto';
import 'node:module';
import 'node:path';
import 'node:stream';
import 'node:string_decoder';
import 'node:url';
import 'node:util';
import { setFlagsFromString } from 'node:v8';
import 'node:worker_threads';
import { crowdHeap } from './layout.ts';
import { libc } from '../ladder/libc.ts';
import { closeInherited, endWithHost, makeForkable } from './forkable.ts';

const LIBRARY = 4;
const FIRST_OWN = 5;

endWithHost(Number(process.argv[2]));
// The loader has mapped it.
libc.close(LIBRARY);
delete process.env['LD_PRELOAD'];
closeInherited(FIRST_OWN);
makeForkable();
crowdHeap();
// What is loaded when it is first used.
void crypto.webcrypto.getRandomValues;
// Most functions call somebody. Not by `import`, which would read every export, and load fetch with one of them.
process.getBuiltinModule('node:https');
// Functions that a child would compile are compiled here, once; zygote.ts turns laziness on again for user code.
setFlagsFromString('--no-lazy');
await import('./zygote.ts');
