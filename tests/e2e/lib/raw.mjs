// A firehose client on a bare TCP socket: it can stop reading for good, read slowly, send any
// request head, and sees what a WebSocket library hides (masking, fragments, reserved bits).
import crypto from 'node:crypto';
import net from 'node:net';

import { parseFrame } from './frames.mjs';
import { subscribePath } from './reader.mjs';
import { Failure, until } from './util.mjs';

export class RawReader {
    // With a `tally` (tally.mjs) the events go there, and none are kept in `frames`.
    constructor(port, { cursor, name = 'raw reader', bytesPerSecond = 0, tally = null } = {}) {
        Object.assign(this, { port, name, bytesPerSecond, tally });
        this.frames = [];
        this.others = [];
        this.problems = [];
        this.pings = 0;
        this.closeCode = null;
        this.ended = false;
        this.stalled = false;
        this.pending = [];
        this.pendingBytes = 0;
        this.key = crypto.randomBytes(16).toString('base64');
        this.upgraded = false;
        this.socket = net.connect(port, '127.0.0.1', () => {
            this.socket.write(
                `GET ${subscribePath}${cursor === undefined ? '' : `?cursor=${cursor}`} HTTP/1.1\r\n` +
                    `Host: 127.0.0.1:${port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
                    `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${this.key}\r\n\r\n`,
            );
        });
        this.socket.on('data', (data) => this.accept(data));
        this.socket.on('error', (error) => {
            this.problems.push(`socket: ${error.message}`);
        });
        this.socket.on('close', () => {
            this.ended = true;
        });
    }

    // From now on nothing is read from the socket, until resume().
    stall() {
        this.stalled = true;
        this.socket.pause();
    }

    resume() {
        this.stalled = false;
        this.socket.resume();
    }

    get localPort() {
        return this.socket.localPort;
    }

    accept(data) {
        this.pending.push(data);
        this.pendingBytes += data.length;
        if (this.bytesPerSecond) {
            this.socket.pause();
            setTimeout(
                () => {
                    if (!this.stalled) this.socket.resume();
                },
                (data.length / this.bytesPerSecond) * 1000,
            );
        }
        if (!this.upgraded && !this.readResponse()) return;
        while (this.readMessage());
    }

    // `count` bytes from the front, without taking them; null when they are not there yet.
    peek(count) {
        if (this.pendingBytes < count) return null;
        if (this.pending[0].length < count) this.pending = [Buffer.concat(this.pending)];
        return this.pending[0];
    }

    take(count) {
        const all = this.peek(count);
        this.pending[0] = all.subarray(count);
        this.pendingBytes -= count;
        return all.subarray(0, count);
    }

    readResponse() {
        const all = this.peek(this.pendingBytes);
        const end = all.indexOf('\r\n\r\n');
        if (end < 0) return false;
        const head = this.take(end + 4).toString('latin1');
        const accept = crypto
            .createHash('sha1')
            .update(`${this.key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
            .digest('base64');
        const answer = /^sec-websocket-accept: *(\S+)/im.exec(head)?.[1];
        if (!head.startsWith('HTTP/1.1 101 '))
            this.problems.push(`status line ${head.split('\r\n')[0]}`);
        else if (answer !== accept)
            this.problems.push(`Sec-WebSocket-Accept ${answer}, not ${accept}`);
        if (/^sec-websocket-extensions:/im.test(head))
            this.problems.push('an extension that was never offered');
        this.upgraded = true;
        return true;
    }

    readMessage() {
        let head = this.peek(2);
        if (!head) return false;
        const short = head[1] & 127;
        const headBytes = short === 127 ? 10 : short === 126 ? 4 : 2;
        head = this.peek(headBytes);
        if (!head) return false;
        const length =
            short === 127
                ? Number(head.readBigUInt64BE(2))
                : short === 126
                  ? head.readUInt16BE(2)
                  : short;
        if (!this.peek(headBytes + length)) return false;
        const [first, second] = head;
        this.take(headBytes);
        const body = this.take(length);
        if (second & 128) this.problems.push('a masked frame from a server');
        if (first & 0x70) this.problems.push('a reserved bit is set');
        if (!(first & 128)) this.problems.push('a fragment');
        if ((short === 126 && length < 126) || (short === 127 && length < 65536))
            this.problems.push('a length that is not in shortest form');
        this.dispatch(first & 15, body);
        return true;
    }

    dispatch(opcode, body) {
        if (opcode === 9) {
            this.pings++;
            this.sendControl(10, body);
        } else if (opcode === 8) {
            this.closeCode = body.length >= 2 ? body.readUInt16BE(0) : 1005;
            this.sendControl(8, body.subarray(0, 2));
            this.socket.end();
        } else if (opcode !== 2) {
            this.problems.push(`opcode ${opcode}`);
        } else {
            try {
                if (this.tally?.accept(body)) return;
                const frame = parseFrame(Buffer.from(body));
                if (frame.seq === undefined) this.others.push(frame);
                else this.frames.push(frame);
            } catch (error) {
                this.problems.push(`a frame that cannot be read: ${error.message}`);
            }
        }
    }

    sendControl(opcode, body) {
        const mask = crypto.randomBytes(4);
        const masked = Buffer.from(body.map((byte, i) => byte ^ mask[i % 4]));
        this.socket.write(
            Buffer.concat([Buffer.from([128 | opcode, 128 | body.length]), mask, masked]),
        );
    }

    opened(seconds = 10) {
        return until(() => this.upgraded, seconds, `${this.name}: no answer to the upgrade`);
    }

    state() {
        const last = this.tally ? this.tally.lastSeq : this.frames.at(-1)?.seq;
        return `${this.ended ? `closed (${this.closeCode})` : 'open'}, last seq ${last}`;
    }

    expectClean() {
        const problems = [...this.problems, ...(this.tally?.problems ?? [])];
        if (problems.length)
            throw new Failure(`${this.name}: ${problems[0]}`, problems.slice(0, 10));
    }

    close() {
        this.socket.destroy();
    }
}

// Sends `bytes` on a new connection and collects what comes back until the peer closes or
// `seconds` have passed. -> { text, closed, seconds }
export function exchange(port, bytes, seconds = 5) {
    return new Promise((resolve) => {
        const begin = performance.now();
        const chunks = [];
        let done = false;
        const socket = net.connect(port, '127.0.0.1', () => socket.write(bytes));
        const finish = (closed) => {
            if (done) return;
            done = true;
            clearTimeout(timer);
            socket.destroy();
            resolve({
                text: Buffer.concat(chunks).toString('latin1'),
                closed,
                seconds: (performance.now() - begin) / 1000,
            });
        };
        const timer = setTimeout(() => finish(false), seconds * 1000);
        socket.on('data', (data) => chunks.push(data));
        socket.on('error', () => finish(true));
        socket.on('close', () => finish(true));
    });
}
