// Live data by `ws`: topics, and one text for all who watch one.
import { WebSocketServer } from 'ws';
import { principal } from './data.mjs';

const MAX_QUEUED = 2 << 20;

export function live(server) {
  const topics = new Map();
  const sockets = new WebSocketServer({ noServer: true, perMessageDeflate: false, maxPayload: 4096 });

  server.on('upgrade', (request, socket, head) => {
    if (request.url !== '/api/ws' || !principal(request.headers.authorization)) {
      socket.end('HTTP/1.1 401 Unauthorized\r\nConnection: close\r\n\r\n');
      return;
    }
    sockets.handleUpgrade(request, socket, head, accept);
  });

  function accept(ws) {
    const mine = new Set();
    ws.on('error', () => ws.terminate());
    ws.on('message', (text) => {
      const { op, topic } = JSON.parse(text);
      if (op !== 'subscribe') return;
      if (!topics.has(topic)) topics.set(topic, { seq: 0, watchers: new Set() });
      topics.get(topic).watchers.add(ws);
      mine.add(topic);
      ws.send(JSON.stringify({ type: 'subscribed', topic, seq: topics.get(topic).seq }));
    });
    ws.on('close', () => {
      for (const topic of mine) topics.get(topic).watchers.delete(ws);
    });
  }

  return function publish(name, event, data) {
    const topic = topics.get(name);
    if (!topic) return;
    const text = Buffer.from(JSON.stringify({ type: 'event', topic: name, seq: ++topic.seq, event, data }));
    for (const ws of topic.watchers) {
      if (ws.bufferedAmount > MAX_QUEUED) ws.terminate();
      else ws.send(text, { binary: false });
    }
  };
}
