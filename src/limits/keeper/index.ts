export { joinKeeper, type Keeper, type KeeperOptions } from './keeper.ts';
