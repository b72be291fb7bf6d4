import { temporaryDirectory } from '../support.ts';
import { storeContract } from './contract.ts';

storeContract('the embedded one', async (t) => ({ dataDir: temporaryDirectory(t), postgres: null }));
