// A host that sends what it is told, good or bad, to every subscriber, and keeps what is good for
// those that come later. It answers the questions that relays ask of hosts.
import http from 'node:http';

import { encode } from '@atproto/lex-cbor';
import { WebSocketServer } from 'ws';

import { parseFrame, withoutHandle } from './frames.mjs';
import { subscribePath } from './reader.mjs';
import { freePorts, until } from './util.mjs';

export function frameOf(t, body) {
    return Buffer.concat([encode({ op: 1, t }), encode(body)]);
}

export class ScriptedHost {
    static async start() {
        const host = new ScriptedHost();
        [host.port] = await freePorts(1);
        host.url = `http://localhost:${host.port}`;
        host.seq = 1_000_000; // five bytes in CBOR, as on a host that has lived for a while
        host.kept = [];
        host.statuses = new Map(); // did -> what getRepoStatus answers
        host.questions = 0;
        host.server = http.createServer((request, response) => host.answer(request, response));
        host.sockets = new WebSocketServer({ server: host.server, path: subscribePath });
        host.sockets.on('connection', (socket, request) => host.serve(socket, request));
        await new Promise((resolve) => host.server.listen(host.port, '127.0.0.1', resolve));
        return host;
    }

    answer(request, response) {
        const url = new URL(request.url, this.url);
        response.setHeader('content-type', 'application/json');
        if (url.pathname === '/xrpc/com.atproto.sync.getRepoStatus') {
            this.questions++;
            const status = this.statuses.get(url.searchParams.get('did'));
            response.statusCode = status ? 200 : 400;
            return response.end(JSON.stringify(status ?? { error: 'RepoNotFound', message: '-' }));
        }
        response.statusCode = 501;
        response.end('{"error":"MethodNotImplemented","message":"-"}');
    }

    serve(socket, request) {
        const cursor = new URL(request.url, this.url).searchParams.get('cursor');
        if (cursor === null) return;
        for (const frame of this.kept) if (frame.seq > Number(cursor)) socket.send(frame.raw);
    }

    get subscribers() {
        return [...this.sockets.clients].filter((socket) => socket.readyState === 1).length;
    }

    subscribed(seconds = 30) {
        return until(() => this.subscribers > 0, seconds, `nobody subscribes to ${this.url}`);
    }

    // A good event. It is kept, and counts among those that have to arrive.
    send(t, body) {
        const raw = frameOf(t, { ...body, seq: ++this.seq });
        this.kept.push(parseFrame(raw));
        this.sendRaw(raw);
    }

    // An event that should not arrive; who is not there now never sees it.
    sendBad(t, body) {
        this.sendRaw(frameOf(t, { ...body, seq: ++this.seq }));
    }

    sendRaw(message) {
        for (const socket of this.sockets.clients) socket.send(message);
    }

    // What a consumer has to see of one account, or of all.
    expected({ keepsHandles = false, did } = {}) {
        const frames = did ? this.kept.filter((f) => f.did === did) : this.kept;
        return keepsHandles ? frames : frames.map(withoutHandle);
    }

    cut() {
        for (const socket of this.sockets.clients) socket.terminate();
    }

    // For the end of a case, beside its readers.
    close() {
        this.cut();
        this.server.close();
    }
}
