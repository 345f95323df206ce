import type { Address } from "./address.ts";
import { type Config, ROOMS, type RoomName } from "./config.ts";
import { Pool } from "./pool.ts";

/** A neighbour behind the gateway and the connections to it. */
export type Room = { readonly name: RoomName; readonly pool: Pool };
export type Rooms = Readonly<Record<RoomName, Room>>;

export function openRooms(config: Pick<Config, "rooms" | "roomTimeoutMs">): Rooms {
  const open = (name: RoomName): Room => ({
    name,
    pool: openPool(config.rooms[name], config.roomTimeoutMs),
  });
  return {
    provider: open("provider"),
    queue: open("queue"),
    forge: open("forge"),
    builder: open("builder"),
    functions: open("functions"),
  };
}

export async function closeRooms(rooms: Rooms): Promise<void> {
  await Promise.all(ROOMS.map((name) => rooms[name].pool.destroy()));
}

/** Bodies may be silent for as long as they like: logs are followed, builds take minutes. */
function openPool({ origin, socketPath }: Address, headersTimeout: number): Pool {
  return new Pool(origin, {
    ...(socketPath === undefined ? {} : { socketPath }),
    connections: 1_024,
    pipelining: 1,
    headersTimeout,
    bodyTimeout: 0,
    connectTimeout: 2_000,
  });
}
