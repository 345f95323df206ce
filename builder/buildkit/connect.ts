import { type Client, createClient } from "@connectrpc/connect";
import type { BuildkitAddress } from "./address.ts";
import { dial } from "./dial.ts";
import { Control } from "./generated/control_pb.ts";
import { openTransport } from "./open-transport.ts";

export type Connection = {
  readonly control: Client<typeof Control>;
  /** Whether the other side is gone. */
  isLost(): boolean;
  close(): void;
};

/** A connection for one build or one question: opening it takes about a millisecond, ending it ends all in it. */
export async function connect(address: BuildkitAddress, signal: AbortSignal): Promise<Connection> {
  const stream = await dial(address, "/grpc", {}, signal);
  const { transport, close } = openTransport(stream);
  return {
    control: createClient(Control, transport),
    isLost: () => stream.destroyed,
    close,
  };
}
