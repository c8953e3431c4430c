// The road from a relay to the did:plc directory: a proxy that can be closed, as a directory that is
// down, or made silent, as one that has lost its way. Everybody else talks to the directory itself.
import http from 'node:http';

export class DirectoryRoad {
    static async open(target) {
        const road = new DirectoryRoad();
        road.target = target;
        road.asked = new Map(); // did -> times a relay has asked
        road.sockets = new Set();
        road.isSilent = false;
        await road.listen(0);
        road.port = road.server.address().port;
        return road;
    }

    get url() {
        return `http://127.0.0.1:${this.port}`;
    }

    listen(port) {
        this.server = http.createServer((request, response) => this.forward(request, response));
        this.server.on('connection', (socket) => {
            this.sockets.add(socket);
            socket.on('close', () => this.sockets.delete(socket));
        });
        return new Promise((resolve, reject) => {
            this.server.once('error', reject);
            this.server.listen(port, '127.0.0.1', resolve);
        });
    }

    async forward(request, response) {
        const did = decodeURIComponent(request.url.slice(1));
        this.asked.set(did, this.timesAsked(did) + 1);
        if (this.isSilent) return;
        try {
            const answer = await fetch(this.target + request.url);
            response.statusCode = answer.status;
            response.setHeader('content-type', answer.headers.get('content-type') ?? 'text/plain');
            response.end(Buffer.from(await answer.arrayBuffer()));
        } catch {
            response.statusCode = 502;
            response.end();
        }
    }

    timesAsked(did) {
        return this.asked.get(did) ?? 0;
    }

    // From now on connections are refused, and those that are open are cut.
    async shut() {
        const closed = new Promise((resolve) => this.server.close(resolve));
        for (const socket of this.sockets) socket.destroy();
        await closed;
    }

    // Requests are taken, and never answered.
    silence() {
        this.isSilent = true;
    }

    async reopen() {
        this.isSilent = false;
        for (const socket of this.sockets) socket.destroy();
        if (!this.server.listening) await this.listen(this.port);
    }

    // For the end of a case, beside its readers.
    close() {
        this.server.close();
        for (const socket of this.sockets) socket.destroy();
    }
}
