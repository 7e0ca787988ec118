`Ping` with all its statuses, the remembered parameters of each device, the bounds of the heartbeat, and guards against devices that ask in loops.
