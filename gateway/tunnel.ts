import type { Socket } from "node:net";
import type { Duplex } from "node:stream";

/** The client's end of an upgraded connection, and what it sent right after its request. */
type ClientEnd = { readonly socket: Socket; readonly head: Buffer };

/** Answer 101 and join both ends until either closes. */
export function tunnel(
  { socket, head }: ClientEnd,
  upstream: Duplex,
  headers: readonly string[],
  ended: () => void,
): void {
  socket.write(formatSwitch(headers), "latin1");
  if (head.length > 0) upstream.write(head);
  socket.setTimeout(0);
  socket.setNoDelay(true);
  join(socket, upstream);
  join(upstream, socket);

  let open = 2;
  const close = (): void => {
    socket.destroy();
    upstream.destroy();
    if (--open === 0) ended();
  };
  socket.once("close", close);
  upstream.once("close", close);
}

/** What `from` says goes to `to`; when it has said all, both are over: neither half serves anyone alone. */
function join(from: Duplex, to: Duplex): void {
  from.pipe(to, { end: false });
  from.once("end", () => to.end(() => to.destroy()));
  // `close` follows every error; the error itself says nothing that the other end could be told.
  from.on("error", () => to.destroy());
}

function formatSwitch(headers: readonly string[]): string {
  let text = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n";
  for (let at = 0; at + 1 < headers.length; at += 2)
    text += `${headers[at]}: ${headers[at + 1]}\r\n`;
  return `${text}\r\n`;
}
