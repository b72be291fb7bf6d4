import type { SdkClient } from './sdk-client.ts';
import { sdkV1 } from './sdk-v1.ts';
import { sdkV2 } from './sdk-v2.ts';

/** The official clients that every gateway has to let through. */
export const sdkClients: readonly SdkClient[] = [sdkV1, sdkV2('legacy'), sdkV2('modern')];
