import type { EventStore, JSONRPCMessage } from '@modelcontextprotocol/server';

/** Keeps a session's events so that `Last-Event-ID` can replay them; dies with its session. */
export function createEventStore(): EventStore {
  const events: { id: string; streamId: string; message: JSONRPCMessage }[] = [];
  return {
    storeEvent: async (streamId, message) => {
      const id = `${streamId}/${events.length}`;
      events.push({ id, streamId, message });
      return id;
    },
    getStreamIdForEventId: async (id) => events.find((event) => event.id === id)?.streamId,
    replayEventsAfter: async (lastEventId, { send }) => {
      const at = events.findIndex((event) => event.id === lastEventId);
      const streamId = events[at]?.streamId;
      if (streamId === undefined) throw new Error('unknown event');
      // A priming event is stored as an empty message: it marks a place, and is not replayed.
      for (const event of events.slice(at + 1))
        if (event.streamId === streamId && 'jsonrpc' in event.message) await send(event.id, event.message);
      return streamId;
    },
  };
}
